/** What the pipeline is given by `app.ts`: functions over the other rooms, in the pipeline's own words. It never imports them. */
import type { Json } from '../jobs/task.ts';

export interface Tools {
  prepare: PrepareAudio;
  transcribe: Transcribe;
  /** What `transcribe` would say of itself, told before it hears anything. Installs the model as that does. */
  hearingVersion(request: HearingRequest, context: { readonly signal: AbortSignal }): Promise<AsrVersion>;
  readonly language: LanguageTool;
  /** Throws `invalid_schema` or `unsupported_schema` for one that cannot be obeyed. */
  checkSchema(schema: JsonSchema, signal?: AbortSignal): Promise<void>;
  /** Ends models that are idle: the memory of one stage is free before the next begins. Does nothing where several may stay loaded. */
  freeModels(): Promise<void>;
}

export type JsonSchema = boolean | { readonly [key: string]: Json };

/**
 * Decodes any recording into a 16 kHz mono WAV at `target`; nothing is written when `source` is one already. Throws `unsupported_audio`,
 * `audio_too_long`, `disk_full`.
 */
export type PrepareAudio = (
  source: string,
  target: string,
  options: { readonly signal: AbortSignal },
) => Promise<PreparedAudio>;

export interface PreparedAudio {
  /** `source` or `target`. */
  readonly path: string;
  /** Container or codec of the source, such as `wav`, `mp3`. */
  readonly format: string;
  readonly durationSeconds: number;
}

export type Transcribe = (
  path: string,
  request: HearingRequest,
  context: { readonly signal: AbortSignal; onProgress(share: number): void },
) => Promise<HeardSpeech>;

export interface HearingRequest {
  /** Undefined: the configured one. */
  readonly model: string | undefined;
  readonly language: string | undefined;
  readonly wordTimestamps: boolean;
}

export interface HeardSpeech {
  readonly text: string;
  readonly language: string;
  readonly segments: readonly HeardSegment[];
  readonly durationSeconds: number;
  /** Share of the recording that is speech, 0 to 1. */
  readonly vadCoverage: number;
  /** Of the segments, weighted by their length: the mean probability of a token, 0 to 1; undefined where nothing was said. */
  readonly confidence: number | undefined;
  /** Whether its model writes punctuation and case of its own accord. */
  readonly isPunctuated: boolean;
  /** Wall time of its steps, in seconds, by names such as `model_loading`, `decoder`. */
  readonly timings: { readonly [step: string]: number };
  readonly version: AsrVersion;
}

export interface HeardSegment {
  readonly startSeconds: number;
  readonly endSeconds: number;
  readonly text: string;
  readonly words?: readonly {
    readonly text: string;
    readonly startSeconds: number;
    readonly endSeconds: number;
  }[];
}

/** In the spelling of the contract, as it is part of the result. */
export interface AsrVersion {
  /** Of the backend: `whisper`, `chunkformer`. */
  readonly name: string;
  readonly model_variant: string;
  readonly model_path: string;
  readonly checkpoint_hash: string;
  readonly compute_type: string;
  readonly decoding_params: { readonly [key: string]: Json };
}

export interface LanguageTool {
  /**
   * Throws `context_exceeded` before any token for a prompt that leaves no room for `maxTokens`, `invalid_output`, `upstream_failed` and what
   * running a model may throw.
   */
  generate(request: WritingRequest, context: { readonly signal: AbortSignal }): Promise<Written>;
  /** What a request would take, without a token written. The first of a model loads it. */
  measure(
    request: Pick<WritingRequest, 'model' | 'messages'>,
    context: { readonly signal: AbortSignal },
  ): Promise<PromptSize>;
  /** What makes answers obey a schema: `gbnf` (llama.cpp's grammars), or `json_schema` (another server's own means). */
  readonly constrainedBy: string;
}

export interface PromptSize {
  /** Of the messages as the model would read them, a schema not among them; where only another server knows, an estimate that is rather too high. */
  readonly promptTokens: number;
  /** Of a prompt and its answer together. */
  readonly contextTokens: number;
}

export interface WritingRequest {
  /** Undefined: the configured one. */
  readonly model: string | undefined;
  readonly messages: readonly { readonly role: 'system' | 'user' | 'assistant'; readonly content: string }[];
  /** What the answer must obey; undefined for text. */
  readonly schema: JsonSchema | undefined;
  readonly settings: WritingSettings;
  readonly seed: number;
}

/** What is left out falls through to the configuration, the model's own and ours. */
export interface WritingSettings {
  readonly temperature?: number | undefined;
  readonly topP?: number | undefined;
  readonly topK?: number | undefined;
  readonly repeatPenalty?: number | undefined;
  readonly maxTokens?: number | undefined;
}

export interface Written {
  readonly text: string;
  /** Valid by the schema; undefined where none was asked, and where the answer was cut. */
  readonly value: Json | undefined;
  /** It did not end within `maxTokens`. */
  readonly isCut: boolean;
  readonly promptTokens: number | undefined;
  readonly completionTokens: number | undefined;
  readonly version: WriterVersion;
}

/** In the spelling of the contract. */
export interface WriterVersion {
  readonly name: string;
  readonly checkpoint_hash: string | null;
  readonly quantization: string | null;
  /** SHA-256 of it; null where the engine does not tell. */
  readonly chat_template: string | null;
  readonly thinking: boolean;
  readonly reasoning_parser: string | null;
  readonly decoding_params: { readonly [key: string]: Json };
}
