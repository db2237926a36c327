/**
 * What the encoder sees at once. With voice activity detection a window holds neighbouring stretches of speech and is as
 * short as they allow; without it, windows of 30 s follow one another as the text's timestamps say.
 */
import type { Sound } from '../../audio/sound.ts';
import type { Span } from '../voice-activity.ts';
import { FRAMES_PER_SECOND, HOP_SAMPLES, SAMPLE_RATE } from './mel.ts';

/** A window's audio in the recording, in samples: [start, end). */
export type Window = Span;

/** Whisper's own window, the longest there is. */
export const MAX_WINDOW_SECONDS = 30;
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

/** A window is cut between these parts of its length when it holds too much. */
const MIDDLE = { from: 0.3, to: 0.7 };
/** Steps in which the quietest place is looked for. */
const STEP_SAMPLES = 320;
/** So much around a place is listened to. */
const QUIET_STEPS = 5;

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

/** A window in two, at the quietest place around its middle. */
export function halves({ start, end }: Window, sound: Sound): [Window, Window] {
  const length = end - start;
  const from = start + Math.floor(length * MIDDLE.from);
  const samples = sound.read(from, start + Math.ceil(length * MIDDLE.to));
  const energies: number[] = [];
  for (let at = 0; at + STEP_SAMPLES <= samples.length; at += STEP_SAMPLES)
    energies.push(samples.subarray(at, at + STEP_SAMPLES).reduce((sum, sample) => sum + sample ** 2, 0));
  let quietest = Math.floor(energies.length / 2);
  let least = Number.POSITIVE_INFINITY;
  for (let step = 0; step + QUIET_STEPS <= energies.length; step += 1) {
    const energy = energies.slice(step, step + QUIET_STEPS).reduce((sum, one) => sum + one, 0);
    if (energy < least) [least, quietest] = [energy, step + Math.floor(QUIET_STEPS / 2)];
  }
  const middle = from + quietest * STEP_SAMPLES + STEP_SAMPLES / 2;
  return [
    { start, end: middle },
    { start: middle, end },
  ];
}

/** The shortest of `lengths` (mel frames, ascending) that holds the window and the silence after it. */
export function framesFor(window: Window, lengths: readonly number[]): number {
  const wanted = (window.end - window.start) / HOP_SAMPLES + TRAILING_FRAMES;
  return lengths.find((frames) => frames >= wanted) ?? lengths.at(-1)!;
}

/** How many of `frames`, one of `lengths`, must be encoded: the window and the silence after it, or all of the longest. */
export function encodedFrames(window: Window, frames: number, lengths: readonly number[]): number {
  if (frames === lengths.at(-1)) return frames;
  const wanted = Math.max(SHORTEST_FRAMES, (window.end - window.start) / HOP_SAMPLES + TRAILING_FRAMES);
  return Math.min(frames, Math.ceil(wanted / GRAIN_FRAMES) * GRAIN_FRAMES);
}
