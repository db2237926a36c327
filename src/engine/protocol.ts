/**
 * What the engine and a model process say to each other over Node's IPC channel (advanced serialization, so typed
 * arrays cross as they are). One process holds one loaded model; it answers calls in the order they came, or several
 * at once where the model batches.
 *
 *   engine  -> process   load, then call*, abort*; for a call with streamed input: chunk* end, each chunk after `taken`
 *   process -> engine    loaded | failed, then per call: event*, taken* and one of result | error
 */
import type { WireError } from '../base/errors.ts';

/** Everything a model process needs to know to hold one model. `options` is the task's own load options. */
export interface LoadSpec {
  /** The catalogue name with its compute type, such as `whisper-base-int8`: one process per such name. */
  readonly model: string;
  /** Which task's loader reads it. */
  readonly kind: ModelKind;
  /** Where the weights lie: the installed model's directory. */
  readonly directory: string;
  /** Names and values the loader of this kind defines; must survive structured clone. */
  readonly options: Readonly<Record<string, unknown>>;
  /** What the process is expected to hold once loaded, in bytes; the eviction budget counts it. */
  readonly memoryBytes: number;
  /** A device that one process at a time may hold; models that need it take turns. */
  readonly device?: string;
  /** How long the model stays after its last request, where a request does not say: seconds, or -1 for ever. */
  readonly keepAliveSeconds?: number;
}

export const MODEL_KINDS = ['whisper', 'whisper-hailo', 'chunkformer', 'clip', 'clip-hailo', 'llm'] as const;
export type ModelKind = (typeof MODEL_KINDS)[number];

export type ToModelProcess =
  | { readonly type: 'load'; readonly spec: LoadSpec }
  | {
      readonly type: 'call';
      readonly id: number;
      readonly method: string;
      readonly input: unknown;
      /** Chunks follow, and an end. */
      readonly isStreamed: boolean;
    }
  | { readonly type: 'chunk'; readonly id: number; readonly chunk: unknown }
  | { readonly type: 'end'; readonly id: number }
  | { readonly type: 'abort'; readonly id: number };

export type FromModelProcess =
  | { readonly type: 'loaded'; readonly seconds: number }
  | { readonly type: 'failed'; readonly error: WireError }
  | { readonly type: 'event'; readonly id: number; readonly event: unknown }
  | { readonly type: 'taken'; readonly id: number }
  | { readonly type: 'result'; readonly id: number; readonly output: unknown }
  | { readonly type: 'error'; readonly id: number; readonly error: WireError };

/** A model in memory, inside its process: what each task's loader returns. */
export interface LoadedModel {
  call(method: string, input: unknown, context: CallContext): Promise<unknown>;
  close(): Promise<void>;
}

export interface CallContext {
  readonly signal: AbortSignal;
  /** The streamed input, for one reader; empty where the caller streams none. The next chunk is sent when one is taken. */
  readonly chunks: AsyncIterable<unknown>;
  emit(event: unknown): void;
}
