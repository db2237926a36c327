/** How the pipeline puts its questions to language models. */
import { AppError } from '../base/errors.ts';
import type {
  JsonSchema,
  LanguageTool,
  PromptSize,
  WriterVersion,
  WritingSettings,
  Written,
} from './tools.ts';

/** One kind of work and who does it. */
export interface WriterSettings {
  /** Undefined: the configured one. */
  readonly model: string | undefined;
  /** `maxTokens`: the most that an answer may be given. */
  readonly settings: WritingSettings;
}

export interface Writer {
  /** What the prompt would take. */
  measure(prompt: string): Promise<PromptSize>;
  /** Throws `output_truncated` for an answer that was cut, and what running the model may throw. */
  write(prompt: string, options: WriteOptions): Promise<Written>;
  /** Of the first answer; undefined before it. Equal for all, as all are asked with equal settings. */
  readonly version: WriterVersion | undefined;
}

export interface WriteOptions {
  readonly schema?: JsonSchema | undefined;
  readonly maxTokens: number;
  /** 0 for the first try; each has a seed of its own, the same at every run. */
  readonly attempt: number;
}

/** Any will do, as long as it stays: equal recordings have equal results. */
export const SEED = 1;

export function openWriter(
  language: LanguageTool,
  { model, settings }: WriterSettings,
  signal: AbortSignal,
): Writer {
  let version: WriterVersion | undefined;
  // One message: some models know no system message.
  const messagesOf = (content: string) => [{ role: 'user' as const, content }];
  return {
    measure: (prompt) => language.measure({ model, messages: messagesOf(prompt) }, { signal }),
    async write(prompt, { schema, maxTokens, attempt }) {
      const written = await language.generate(
        {
          model,
          messages: messagesOf(prompt),
          schema,
          settings: { ...settings, maxTokens },
          seed: SEED + attempt,
        },
        { signal },
      );
      version ??= written.version;
      if (!written.isCut) return written;
      throw new AppError(
        'output_truncated',
        `The answer of ${written.version.name} did not end within ${maxTokens} tokens. Raise language.context_tokens, or take a larger model.`,
      );
    },
    get version() {
      return version;
    },
  };
}

/** Why an answer was no good, where another try may do better; throws everything else on. */
export function problemOf(thrown: unknown): string {
  if (!(thrown instanceof AppError)) throw thrown;
  if (thrown.code === 'output_truncated') return 'it did not end.';
  if (thrown.code === 'invalid_output') return thrown.message.slice(0, MAX_PROBLEM);
  throw thrown;
}

/** Characters of a reason that goes into a prompt; at most `PROBLEM_TOKENS` there. */
const MAX_PROBLEM = 300;
export const PROBLEM_TOKENS = 160;

export function noRoom(
  work: 'enhancement' | 'summary',
  { promptTokens, contextTokens }: PromptSize,
): AppError {
  return new AppError(
    'context_exceeded',
    `The instructions of the ${work} have ${promptTokens} tokens and the context holds ${contextTokens}, which leaves no room for the transcript and an answer. ` +
      `Raise language.context_tokens, lower pipeline.${work}.max_tokens, or take a model with a larger context.`,
  );
}
