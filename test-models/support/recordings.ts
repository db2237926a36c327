/** Recordings made of others, or of formulas. All are 16 kHz mono. */
import { decodeAudio } from '../../src/audio/decode.ts';
import { samplesOf as allSamples, decodeOptions } from '../../test/support/audio.ts';
import { wavFile } from '../../test/support/wav.ts';

export const SAMPLE_RATE = 16_000;

export async function samplesOf(path: string): Promise<Float32Array> {
  return allSamples(await decodeAudio(path, decodeOptions()));
}

export interface Joined {
  readonly samples: Float32Array;
  /** Where each part begins, in seconds. */
  readonly startsSeconds: readonly number[];
}

/** The parts one after the other, with silence before, between and after them. */
export function joined(parts: readonly Float32Array[], gapSeconds: number): Joined {
  const gap = gapSeconds * SAMPLE_RATE;
  const total = parts.reduce((sum, part) => sum + part.length + gap, gap);
  const samples = new Float32Array(total);
  const startsSeconds: number[] = [];
  let at = gap;
  for (const part of parts) {
    samples.set(part, at);
    startsSeconds.push(at / SAMPLE_RATE);
    at += part.length + gap;
  }
  return { samples, startsSeconds };
}

export function silence(seconds: number): Float32Array {
  return new Float32Array(seconds * SAMPLE_RATE);
}

/** White noise between -amplitude and amplitude, the same at every run (a linear congruential generator, Numerical Recipes). */
export function whiteNoise(seconds: number, amplitude: number): Float32Array {
  let state = 1;
  return Float32Array.from({ length: seconds * SAMPLE_RATE }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return amplitude * (state / 2 ** 31 - 1);
  });
}

export function wav(samples: ArrayLike<number>): Buffer {
  return wavFile(samples, { sampleRate: SAMPLE_RATE });
}
