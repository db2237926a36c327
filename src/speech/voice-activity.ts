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
const HYSTERESIS = 0.15;
/** Width of the mean over which the quietest point of a long stretch is sought: 5 frames are 160 ms. */
const QUIET_FRAMES = 5;

/** Speech spans in order, padded, not overlapping, none longer than `maxSpeechSeconds`. */
export function speechSpans(probabilities: Float32Array, clock: FrameClock, options: VadOptions): Span[] {
  const runs = speechRuns(probabilities, clock, options);
  const maxFrames = Math.floor((options.maxSpeechSeconds * clock.sampleRate) / clock.frameSamples);
  const padFrames = Math.ceil(((options.padMs / 1000) * clock.sampleRate) / clock.frameSamples);
  const pieces = runs.flatMap((run) => splitLong(probabilities, run, Math.max(2, maxFrames - 2 * padFrames)));
  return pad(pieces, clock, options);
}

/** Runs of frames that are speech, in frames. */
function speechRuns(probabilities: Float32Array, clock: FrameClock, options: VadOptions): Span[] {
  const framesOf = (milliseconds: number) => ((milliseconds / 1000) * clock.sampleRate) / clock.frameSamples;
  const minSilence = framesOf(options.minSilenceMs);
  const minSpeech = framesOf(options.minSpeechMs);
  const runs: Span[] = [];
  let start: number | undefined;
  /** First frame of the silence that may end the run. */
  let silence: number | undefined;
  for (let frame = 0; frame < probabilities.length; frame += 1) {
    const probability = probabilities[frame]!;
    if (probability >= options.threshold) {
      silence = undefined;
      start ??= frame;
    } else if (start !== undefined && probability < options.threshold - HYSTERESIS) {
      silence ??= frame;
      if (frame - silence >= minSilence) {
        if (silence - start > minSpeech) runs.push({ start, end: silence });
        start = undefined;
        silence = undefined;
      }
    }
  }
  if (start !== undefined && probabilities.length - start > minSpeech)
    runs.push({ start, end: silence ?? probabilities.length });
  return runs;
}

/** Cuts a run longer than `maxFrames` where speech is least likely in the second half of what fits. */
function splitLong(probabilities: Float32Array, run: Span, maxFrames: number): Span[] {
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

function quietest(probabilities: Float32Array, from: number, to: number): number {
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

/** Widens every span by the pad; where two pads would meet, the gap is shared. */
function pad(runs: readonly Span[], clock: FrameClock, options: VadOptions): Span[] {
  const { frameSamples, totalSamples } = clock;
  const padSamples = (options.padMs / 1000) * clock.sampleRate;
  const reach = (gapSamples: number) => Math.floor(Math.min(padSamples, gapSamples / 2));
  return runs.map((run, index) => {
    const start = run.start * frameSamples;
    const end = Math.min(run.end * frameSamples, totalSamples);
    const before = runs[index - 1];
    const after = runs[index + 1];
    return {
      start: Math.max(
        0,
        start - (before === undefined ? Math.floor(padSamples) : reach(start - before.end * frameSamples)),
      ),
      end: Math.min(
        totalSamples,
        end + (after === undefined ? Math.floor(padSamples) : reach(after.start * frameSamples - end)),
      ),
    };
  });
}
