import type { Sound } from './sound.ts';

/** What every speech model hears. */
export const SAMPLE_RATE = 16_000;

/** Telephone speech is 8 kHz; a file that claims less than half of it is broken or made to amplify. */
export const MIN_SOURCE_RATE = 4_000;
/** The highest rate of any real converter; a filter for more would be longer than the speech. */
export const MAX_SOURCE_RATE = 768_000;
/** Below this there is nothing to transcribe. */
export const MIN_DURATION_SECONDS = 0.1;

export interface Pcm {
  /** To be closed by whoever has asked for it. */
  readonly sound: Sound;
  readonly durationSeconds: number;
}

/** A stretch of decoded audio on its way to `Pcm`: channels already averaged to one. */
export interface MonoBlock {
  readonly samples: Float32Array;
  readonly sampleRate: number;
}

export interface DecodeLimits {
  readonly signal: AbortSignal;
  /** Longer audio is refused, and no more than this is ever decoded. */
  readonly maxDurationSeconds: number;
  /** Wall time of the whole decoding. */
  readonly timeoutMs: number;
  /** Address space of a decoding process; Linux only, as macOS does not enforce it. */
  readonly memoryBytes: number;
  /** Private directory for the samples of a long recording. */
  readonly directory: string;
  /** Called with the seconds of audio decoded so far. */
  readonly onProgress?: (decodedSeconds: number) => void;
}
