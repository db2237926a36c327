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
 * Silence that is encoded behind the speech of a trimmed window; the backend adds more that costs nothing. Whisper was trained on padded
 * windows: without silence it repeats whole sentences in place of ending (docs/benchmarks.md, "Silence").
 */
const TRAILING_FRAMES = 2 * FRAMES_PER_SECOND;
/** Shorter speech is encoded with more silence: what the encoder makes of it depends on that, and with less it loses a word in a hundred. */
const SHORTEST_FRAMES = 10 * FRAMES_PER_SECOND;
/** The encoder's lengths are multiples of this, so that its memory is used again. */
const GRAIN_FRAMES = 50;

/** The opening holds at least this much speech, so that a single short word does not choose the language of a whole recording. */
const OPENING_SECONDS = 5;

/** Joins spans, in order, into windows of at most `maxSeconds`. */
export async function* packSpans(
  spans: AsyncIterable<Span> | Iterable<Span>,
  maxSeconds: number,
): AsyncGenerator<Window> {
  let open: Window | undefined;
  for await (const span of spans) {
    if (open !== undefined && fitsBehind(open, span, maxSeconds)) {
      open = { start: open.start, end: span.end };
    } else {
      if (open !== undefined) yield open;
      open = span;
    }
  }
  if (open !== undefined) yield open;
}

function fitsBehind(window: Window, span: Span, maxSeconds: number): boolean {
  const isNear = span.start - window.end <= MAX_GAP_SECONDS * SAMPLE_RATE;
  return isNear && span.end - window.start <= maxSeconds * SAMPLE_RATE;
}

/** The windows of the opening together, then each alone. */
export async function* gatherOpening(
  windows: AsyncIterable<Window> | Iterable<Window>,
): AsyncGenerator<Window[]> {
  const opening: Window[] = [];
  let missingSamples = OPENING_SECONDS * SAMPLE_RATE;
  for await (const window of windows) {
    if (missingSamples <= 0) {
      yield [window];
      continue;
    }
    opening.push(window);
    missingSamples -= window.end - window.start;
    if (missingSamples <= 0) yield opening;
  }
  if (missingSamples > 0 && opening.length > 0) yield opening;
}

/** The shortest of `lengths` (mel frames, ascending) that holds the window and the silence after it. */
export function framesFor(window: Window, lengths: readonly number[]): number {
  const wanted = (window.end - window.start) / HOP_SAMPLES + TRAILING_FRAMES;
  return lengths.find((frames) => frames >= wanted) ?? lengths.at(-1)!;
}

/** How many of `frames` must be encoded: the window and the silence after it, or all of the longest window. */
export function encodedFrames(window: Window, frames: number): number {
  if (frames === MAX_WINDOW_FRAMES) return frames;
  const wanted = Math.max(SHORTEST_FRAMES, (window.end - window.start) / HOP_SAMPLES + TRAILING_FRAMES);
  return Math.min(frames, Math.ceil(wanted / GRAIN_FRAMES) * GRAIN_FRAMES);
}
