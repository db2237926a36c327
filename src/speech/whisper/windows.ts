/**
 * What the encoder sees at once. With voice activity detection a window holds neighbouring stretches of speech and is as
 * short as they allow; without it, windows of 30 s follow one another as the text's timestamps say.
 */
import type { Span } from '../voice-activity.ts';
import { FRAMES_PER_SECOND, HOP_SAMPLES, SAMPLE_RATE } from './mel.ts';

/** A window's audio in the recording, in samples: [start, end). */
export type Window = Span;

/** The longest window: 30 s. */
export const MAX_WINDOW_SAMPLES = 30 * SAMPLE_RATE;
export const MAX_WINDOW_FRAMES = MAX_WINDOW_SAMPLES / HOP_SAMPLES;
/** Speech further apart than this is not put into one window: encoding silence costs as much as encoding speech. */
const MAX_GAP_SECONDS = 2;
/**
 * Silence that must follow the speech inside a trimmed window. Whisper was trained on padded windows: with less it repeats whole
 * sentences in place of ending (1 of 69 windows at 2 s, none at 3 s; docs/benchmarks.md).
 */
const TRAILING_SECONDS = 3;

/** Joins spans, in order, into windows of at most `maxSeconds`. */
export function packSpans(spans: readonly Span[], maxSeconds: number): Window[] {
  const windows: Window[] = [];
  for (const span of spans) {
    const last = windows.at(-1);
    const fits = last !== undefined && span.end - last.start <= maxSeconds * SAMPLE_RATE;
    if (fits && span.start - last.end <= MAX_GAP_SECONDS * SAMPLE_RATE) {
      windows[windows.length - 1] = { start: last.start, end: span.end };
    } else windows.push(span);
  }
  return windows;
}

/** The shortest of `lengths` (mel frames, ascending) that holds the window and the silence after it. */
export function framesFor(window: Window, lengths: readonly number[]): number {
  const seconds = (window.end - window.start) / SAMPLE_RATE + TRAILING_SECONDS;
  return lengths.find((frames) => frames >= seconds * FRAMES_PER_SECOND) ?? lengths.at(-1)!;
}
