/** From speech probabilities to stretches of speech, by Silero's rules (snakers4/silero-vad, `get_speech_timestamps`). */
import type { VadOptions } from './transcript.ts';

/** A stretch of the recording, in samples: [start, end). */
export interface Span {
  readonly start: number;
  readonly end: number;
}

export interface FrameClock {
  readonly frameSamples: number;
  readonly sampleRate: number;
  /** Length of the recording; no span passes it. */
  readonly totalSamples: number;
}

/** Speech ends when the probability falls this far below the threshold that began it. */
export const HYSTERESIS = 0.15;
/** Width of the mean over which the quietest point of a long stretch is sought: 5 frames are 160 ms. */
export const QUIET_FRAMES = 5;

/**
 * Speech spans in order, padded, not overlapping, none longer than `maxSpeechSeconds`. `blocks` are the frames' probabilities of speech
 * in order; a span is given as soon as no later frame can change it, so that work on a long recording begins before all of it was heard.
 */
export async function* speechSpans(
  blocks: AsyncIterable<Float32Array> | Iterable<Float32Array>,
  clock: FrameClock,
  options: VadOptions,
): AsyncGenerator<Span> {
  let before: Span | undefined;
  let run: Span | undefined;
  for await (const after of speechRuns(blocks, clock, options)) {
    if (run !== undefined) yield pad(run, { before, after }, { clock, options });
    before = run;
    run = after;
  }
  if (run !== undefined) yield pad(run, { before, after: undefined }, { clock, options });
}

/** Runs of frames that are speech, in frames; a long one in pieces. */
async function* speechRuns(
  blocks: AsyncIterable<Float32Array> | Iterable<Float32Array>,
  clock: FrameClock,
  options: VadOptions,
): AsyncGenerator<Span> {
  const framesOf = (milliseconds: number) => ((milliseconds / 1000) * clock.sampleRate) / clock.frameSamples;
  const minSilence = framesOf(options.minSilenceMs);
  const minSpeech = framesOf(options.minSpeechMs);
  const padFrames = Math.ceil(framesOf(options.padMs));
  const maxFrames = Math.max(2, Math.floor(framesOf(options.maxSpeechSeconds * 1000)) - 2 * padFrames);
  const probabilities: number[] = [];
  let start: number | undefined;
  /** First frame of the silence that may end the run. */
  let silence: number | undefined;
  /** The run is what is left of a longer one, and speech however short. */
  let isRest = false;
  for await (const block of blocks) {
    for (const probability of block) {
      const frame = probabilities.push(probability) - 1;
      if (probability >= options.threshold) {
        silence = undefined;
        start ??= frame;
      } else if (start !== undefined && probability < options.threshold - HYSTERESIS) {
        silence ??= frame;
        if (frame - silence >= minSilence) {
          if (isRest || silence - start > minSpeech)
            yield* splitLong(probabilities, { start, end: silence }, maxFrames);
          start = undefined;
          silence = undefined;
          isRest = false;
        }
      }
      const isTooLong = start !== undefined && frame + 1 - start > maxFrames + QUIET_FRAMES;
      if (start !== undefined && silence === undefined && isTooLong) {
        const end = quietest(probabilities, start + Math.floor(maxFrames / 2), start + maxFrames);
        yield { start, end };
        start = end;
        isRest = true;
      }
    }
  }
  if (start !== undefined && (isRest || probabilities.length - start > minSpeech))
    yield* splitLong(probabilities, { start, end: silence ?? probabilities.length }, maxFrames);
}

/** Cuts a run longer than `maxFrames` where speech is least likely in the second half of what fits. */
function splitLong(probabilities: readonly number[], run: Span, maxFrames: number): Span[] {
  const pieces: Span[] = [];
  let { start } = run;
  while (run.end - start > maxFrames) {
    const cut = quietest(probabilities, start + Math.floor(maxFrames / 2), start + maxFrames);
    pieces.push({ start, end: cut });
    start = cut;
  }
  pieces.push({ start, end: run.end });
  return pieces;
}

/** The frame in [from, to) around which speech is least likely. */
export function quietest(probabilities: readonly number[], from: number, to: number): number {
  let best = to - 1;
  let lowest = Number.POSITIVE_INFINITY;
  for (let frame = from; frame < to; frame += 1) {
    let sum = 0;
    for (let near = frame - (QUIET_FRAMES >> 1); near <= frame + (QUIET_FRAMES >> 1); near += 1)
      sum += probabilities[near] ?? 0;
    if (sum < lowest) {
      lowest = sum;
      best = frame;
    }
  }
  return best;
}

/** Widens a run by the pad, from frames to samples; where two pads would meet, the gap is shared. */
function pad(
  run: Span,
  { before, after }: { readonly before: Span | undefined; readonly after: Span | undefined },
  { clock, options }: { readonly clock: FrameClock; readonly options: VadOptions },
): Span {
  const { frameSamples, totalSamples } = clock;
  const padSamples = (options.padMs / 1000) * clock.sampleRate;
  const reach = (gapFrames: number) => Math.floor(Math.min(padSamples, (gapFrames * frameSamples) / 2));
  const left = reach(before === undefined ? Number.POSITIVE_INFINITY : run.start - before.end);
  const right = reach(after === undefined ? Number.POSITIVE_INFINITY : after.start - run.end);
  return {
    start: Math.max(0, run.start * frameSamples - left),
    end: Math.min(totalSamples, Math.min(run.end * frameSamples, totalSamples) + right),
  };
}
