/** Answers of POST /v1/chat/completions in OpenAI's form: whole, or in chunks. */
import { createHash, randomUUID } from 'node:crypto';
import type {
  GenerateEvent,
  Generation,
  GenerationVersions,
  ToolCall,
  Usage,
} from '../language/generation.ts';
import { toCallForm } from './chat-tools.ts';
import type { EventStream } from './event-stream.ts';

/** OpenAI's `chat.completion`, with `percept` beside it. */
export function toCompletion(generation: Generation) {
  const { text, toolCalls } = generation;
  return {
    id: completionId(),
    object: 'chat.completion',
    created: unixSeconds(),
    model: generation.model,
    choices: [
      {
        index: 0,
        message: {
          role: 'assistant',
          content: text === '' && toolCalls.length > 0 ? null : text,
          refusal: null,
          ...(toolCalls.length === 0 ? {} : { tool_calls: toolCalls.map(toCallForm) }),
        },
        logprobs: null,
        finish_reason: generation.finishReason,
      },
    ],
    usage: toUsage(generation.usage),
    system_fingerprint: fingerprintOf(generation.versions),
    percept: toExtras(generation),
  };
}

/** OpenAI's `chat.completion.chunk` events, one after the other into a stream. */
export interface ChunkStream {
  onEvent(event: GenerateEvent): void;
  /** The last chunks: why the answer ended, the usage where it is wanted, and `[DONE]`. */
  finish(generation: Generation): void;
}

export interface ChunkOptions {
  /** As it was asked for: what it resolves to is known at the end. */
  readonly model: string | undefined;
  readonly includeUsage: boolean;
}

export function createChunkStream(events: EventStream, { model, includeUsage }: ChunkOptions): ChunkStream {
  const head = {
    id: completionId(),
    object: 'chat.completion.chunk',
    created: unixSeconds(),
    model: model ?? 'default',
  };
  const noUsage = includeUsage ? { usage: null } : {};
  let hasBegun = false;
  let calls = 0;

  function send(delta: object, finishReason: string | null = null, extra: object = {}): void {
    const choice = { index: 0, delta, logprobs: null, finish_reason: finishReason };
    events.send({ ...head, choices: [choice], ...noUsage, ...extra });
  }

  /** The role comes with the first chunk, and once. */
  function begin(): void {
    if (!hasBegun) send({ role: 'assistant', content: '', refusal: null });
    hasBegun = true;
  }

  function sendCall(call: ToolCall): void {
    send({ tool_calls: [{ index: calls, ...toCallForm(call) }] });
    calls += 1;
  }

  return {
    onEvent(event) {
      begin();
      switch (event.type) {
        case 'text':
          send({ content: event.text });
          break;
        case 'toolCall':
          sendCall(event.call);
          break;
        default:
          throw new Error(`Unknown event ${event satisfies never}.`);
      }
    },
    finish(generation) {
      begin();
      const fingerprint = { system_fingerprint: fingerprintOf(generation.versions) };
      send({}, generation.finishReason, { ...fingerprint, percept: toExtras(generation) });
      if (includeUsage)
        events.send({ ...head, choices: [], usage: toUsage(generation.usage), ...fingerprint });
      events.sendDone();
    },
  };
}

/** Null where an external server does not count. */
export function toUsage(usage: Usage | undefined) {
  if (usage === undefined) return null;
  const { promptTokens, completionTokens, cachedTokens } = usage;
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    prompt_tokens_details: { cached_tokens: cachedTokens },
  };
}

/** What makes an answer come out again. */
export function toVersions({ settings, ...versions }: GenerationVersions) {
  return {
    model: versions.model,
    engine: versions.engine,
    checkpoint_hash: versions.checkpointHash ?? null,
    quantization: versions.quantization ?? null,
    template_hash: versions.templateHash ?? null,
    settings: {
      temperature: settings.temperature,
      top_p: settings.topP,
      top_k: settings.topK,
      min_p: settings.minP,
      repeat_penalty: settings.repeatPenalty,
      frequency_penalty: settings.frequencyPenalty,
      presence_penalty: settings.presencePenalty,
      max_tokens: settings.maxTokens,
    },
    seed: versions.seed,
  };
}

function toExtras({ versions, timings }: Generation) {
  return {
    versions: toVersions(versions),
    timings: {
      until_first_token: timings.untilFirstToken,
      generating: timings.generating,
      total: timings.total,
    },
  };
}

/** Of what may differ between servers, and not of what each request sets. */
function fingerprintOf({ settings: _settings, seed: _seed, ...backend }: GenerationVersions): string {
  return `fp_${createHash('sha256').update(JSON.stringify(backend)).digest('hex').slice(0, 12)}`;
}

function completionId(): string {
  return `chatcmpl-${randomUUID().replaceAll('-', '')}`;
}

function unixSeconds(): number {
  return Math.floor(Date.now() / 1000);
}
