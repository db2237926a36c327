/**
 * Speech as it is spoken: what a session is given, and what it says. The same for the WebSocket, the command line and the model
 * process.
 */
import type { WireError } from '../base/errors.ts';
import type { TranscribeOptions } from './transcript.ts';
import type { DetectionSettings } from './utterance-detector.ts';

/** What the caller may change while a session runs; the model it may not. */
export interface LiveSettings {
  /** Of the sound that follows: samples a second. */
  readonly sampleRate: number;
  /** Undefined: an utterance ends where the caller says, and nowhere else. */
  readonly detection: DetectionSettings | undefined;
  /** A code, an English name or a code with a region; undefined: the configured one, or detected. */
  readonly language?: string | undefined;
  readonly prompt?: string | undefined;
}

export interface LiveRequest extends LiveSettings {
  /** A name of the catalogue, an alias or undefined for the default. */
  readonly model: string | undefined;
}

/** `Configure` is the session's settings as the caller writes them, or as the model takes them. */
export type LiveInput<Configure = LiveSettings> =
  /** Mono, 16 bits, little-endian, at the session's sample rate; a sample may be cut between two. */
  | { readonly type: 'audio'; readonly pcm: Uint8Array }
  | { readonly type: 'configure'; readonly settings: Configure }
  /** Ends the utterance here. `ref` comes back when there is none. */
  | { readonly type: 'commit'; readonly ref?: string | undefined }
  /** Drops what was not committed. */
  | { readonly type: 'clear' };

/** Settings with the configuration's defaults in them. */
export interface ResolvedLiveSettings {
  readonly sampleRate: number;
  readonly detection: DetectionSettings | undefined;
  readonly options: TranscribeOptions;
}

/** Utterances are numbered from 0; times are milliseconds of sound since the session began. */
export type LiveEvent =
  | { readonly type: 'started'; readonly utterance: number; readonly atMs: number }
  | { readonly type: 'stopped'; readonly utterance: number; readonly atMs: number }
  /** The utterance's sound is complete; its text follows. `previous` is the utterance committed before it. */
  | { readonly type: 'committed'; readonly utterance: number; readonly previous: number | undefined }
  | { readonly type: 'cleared' }
  /** Text that is certain already. */
  | { readonly type: 'delta'; readonly utterance: number; readonly text: string }
  /** The whole text. It is that of the deltas, or the better one. `seconds`: of the utterance's sound. */
  | {
      readonly type: 'completed';
      readonly utterance: number;
      readonly text: string;
      readonly seconds: number;
    }
  /** The utterance has no text; the session goes on. */
  | { readonly type: 'failed'; readonly utterance: number; readonly error: WireError }
  /** There was nothing to commit. */
  | { readonly type: 'refused'; readonly ref: string | undefined };
