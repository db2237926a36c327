/** The one currency of speech: the same value for HTTP, the CLI and, later, tasks. Formats exist only at the edge. */

export interface Transcript {
  readonly model: string;
  readonly task: SpeechTask;
  /** ISO 639-1 code (or Whisper's own for the few languages without one), such as `en`. */
  readonly language: string;
  /** Between 0 and 1; 1 when the caller named the language. */
  readonly languageProbability: number;
  /** Length of the decoded audio. */
  readonly durationSeconds: number;
  readonly text: string;
  readonly segments: readonly Segment[];
  /** Share of the recording that voice activity detection took for speech, 0 to 1. */
  readonly speechRatio: number;
  /** Wall time of each step, in seconds. */
  readonly timings: Timings;
}

export type SpeechTask = 'transcribe' | 'translate';

export interface Segment {
  readonly id: number;
  /** Where the window of this segment began, in mel frames of 10 ms. */
  readonly seek: number;
  readonly startSeconds: number;
  readonly endSeconds: number;
  readonly text: string;
  readonly tokens: readonly number[];
  /** The temperature of the decoding that was kept. */
  readonly temperature: number;
  /** Mean natural-log probability of the tokens of the window. */
  readonly avgLogprob: number;
  /** UTF-8 bytes over their zlib-compressed size; above 2.4 the text is taken for a repetition. */
  readonly compressionRatio: number;
  /** Probability that the window holds no speech, 0 to 1. */
  readonly noSpeechProb: number;
  /** When they were asked for. Their texts join to the segment's, their times never decrease and lie within it. */
  readonly words?: readonly Word[];
}

export interface Word {
  /** With the space before it and the punctuation around it. */
  readonly text: string;
  readonly startSeconds: number;
  readonly endSeconds: number;
}

export interface Timings {
  readonly decodeAudio: number;
  readonly voiceActivity: number;
  readonly features: number;
  readonly encoder: number;
  readonly decoder: number;
  readonly total: number;
}

/** What a caller may ask of a transcription; parsed and checked at the edge. */
export interface TranscribeOptions {
  readonly task: SpeechTask;
  /** Undefined: detected from the first speech. */
  readonly language?: string;
  /** Words or a text that came before; the vocabulary and style follow it. */
  readonly prompt?: string;
  /** Tried in order until the result passes the thresholds. */
  readonly temperatures: readonly number[];
  readonly beamSize: number;
  /** Also say when each word was said; the segments' times then follow from their words. */
  readonly wordTimestamps: boolean;
  readonly conditionOnPreviousText: boolean;
  readonly compressionRatioThreshold: number;
  readonly logprobThreshold: number;
  readonly noSpeechThreshold: number;
  readonly vad: VadOptions;
  /** Windows decoded as one batch. */
  readonly batchSize: number;
  readonly maxDurationSeconds: number;
}

export interface VadOptions {
  readonly enabled: boolean;
  /** Speech begins above this probability. */
  readonly threshold: number;
  readonly minSpeechMs: number;
  readonly minSilenceMs: number;
  readonly padMs: number;
  /** A longer stretch of speech is cut at its quietest point. */
  readonly maxSpeechSeconds: number;
}

/** Sent while a transcription runs. */
export type TranscribeEvent =
  | { readonly type: 'started'; readonly durationSeconds: number }
  | { readonly type: 'language'; readonly language: string; readonly probability: number }
  | { readonly type: 'segment'; readonly segment: Segment }
  | { readonly type: 'progress'; readonly doneSeconds: number };
