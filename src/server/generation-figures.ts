/** What the routes of Percept's own say of an answer beside it. */
import { AppError } from '../base/errors.ts';
import type { Generation } from '../language/generation.ts';
import { toUsage, toVersions } from './chat-answer.ts';

export function toFigures(generation: Generation) {
  return {
    model: generation.model,
    usage: toUsage(generation.usage),
    /** Seconds. */
    response_time: generation.timings.total,
    tokens_per_second: tokensPerSecond(generation),
    versions: toVersions(generation.versions),
  };
}

/** Between the first token and the last; over the whole time where there is nothing between. Null where nobody has counted. */
export function tokensPerSecond({ usage, timings }: Generation): number | null {
  if (usage === undefined) return null;
  const { completionTokens } = usage;
  if (completionTokens > 1 && timings.generating > 0) return (completionTokens - 1) / timings.generating;
  return timings.total > 0 ? completionTokens / timings.total : 0;
}

/** Throws `output_truncated`: an answer that its form needs whole was cut. */
export function requireWhole({ finishReason, usage, versions }: Generation): void {
  if (finishReason !== 'length') return;
  const figures =
    usage &&
    ` at ${usage.completionTokens} tokens (max_tokens ${versions.settings.maxTokens}, after a prompt of ${usage.promptTokens})`;
  throw new AppError(
    'output_truncated',
    `The answer was cut${figures ?? ''}. Raise max_tokens, or bound what may be said.`,
    { param: 'max_tokens' },
  );
}
