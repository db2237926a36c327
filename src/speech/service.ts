/** Speech for everyone above: the HTTP routes, the CLI and, later, tasks. Made by `app.ts` from the engine and the store. */
import type { Admission } from '../engine/admission.ts';
import type { LiveEvent, LiveInput, LiveRequest } from './live.ts';
import type { SpeechTask, TranscribeEvent, Transcript } from './transcript.ts';

/** What a caller may ask; everything left out is the configuration's. */
export interface SpeechRequest {
  /** A name of the catalogue, an alias or `undefined` for the default. */
  readonly model: string | undefined;
  readonly task: SpeechTask;
  /** A code, an English name or a code with a region. */
  readonly language?: string | undefined;
  readonly prompt?: string | undefined;
  /** 0 or undefined: the configured ladder. */
  readonly temperature?: number | undefined;
  readonly beamSize?: number | undefined;
  /** Give each segment its words with their times. */
  readonly wordTimestamps?: boolean | undefined;
  readonly vad?:
    | {
        readonly enabled?: boolean;
        readonly threshold?: number;
        readonly padMs?: number;
        readonly minSilenceMs?: number;
      }
    | undefined;
  /** How long the model stays loaded afterwards; -1 for ever. */
  readonly keepAliveSeconds?: number | undefined;
}

/** What is known of a request before its work begins. */
export interface CheckRequest extends Partial<SpeechRequest> {
  /** It is to listen, not to transcribe a recording. */
  readonly isLive?: boolean;
}

export interface SpeechContext {
  readonly signal: AbortSignal;
  readonly onEvent?: ((event: TranscribeEvent) => void) | undefined;
}

export interface LiveContext {
  readonly signal: AbortSignal;
  onEvent(event: LiveEvent): void;
}

/** A model that can be asked for. */
export interface SpeechModel {
  readonly name: string;
  readonly description: string;
  readonly computeType: string;
  /** The kind of model, such as `whisper`. */
  readonly backend: string;
  /** Such as `transcribe`, `translate`, `detect_language`. */
  readonly capabilities: readonly string[];
  readonly memoryBytes: number;
  readonly ownedBy: string;
  /** When its weights were installed; the start of Unix time when they are not. */
  readonly installedAt: Date | undefined;
}

/** What makes a transcript come out again: equal versions and an equal recording give equal texts. */
export interface SpeechVersion {
  /** The kind of model, such as `whisper`. */
  readonly backend: string;
  /** With its compute type. */
  readonly model: string;
  /** Where the weights lie. */
  readonly directory: string;
  readonly checkpointHash: string;
  readonly computeType: string;
  /** As resolved from the request and the configuration. */
  readonly decoding: Readonly<Record<string, unknown>>;
}

export interface SpeechService {
  /** Throws `queue_full` with the seconds to wait. */
  admit(): Admission;
  /** Throws `model_not_found`, `invalid_request` and whatever decoding and the model may throw. */
  transcribe(path: string, request: SpeechRequest, context: SpeechContext): Promise<Transcript>;
  /**
   * Writes down speech as it is spoken, until the input ends and every utterance has its text. Input is read as fast as the model listens;
   * it must end when the signal fires. Throws as `transcribe` does.
   */
  listen(input: AsyncIterable<LiveInput>, request: LiveRequest, context: LiveContext): Promise<void>;
  /** Rejects early as `transcribe` or `listen` would: an unknown model or language, an option that the model has no meaning for. */
  check(request: CheckRequest): Promise<void>;
  models(): Promise<readonly SpeechModel[]>;
  /** Throws `model_not_found`. */
  model(name: string): Promise<SpeechModel>;
}
