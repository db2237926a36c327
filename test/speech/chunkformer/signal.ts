/** The signal of test-models/golden-chunkformer.py: tones and noise in turn with pauses, by integers alone. */
import { type Sound, soundOf } from '../../../src/audio/sound.ts';

const SAMPLE_RATE = 16_000;

/** 16-bit samples. */
export function signal(seconds: number, seed: number): Int16Array {
  const samples = new Int16Array(Math.trunc(seconds * SAMPLE_RATE));
  let [state, phase, step, level, noise] = [seed, 0, 500, 4, 8];
  for (let index = 0; index < samples.length; index += 1) {
    state = (state * 25_173 + 13_849) % 65_536;
    if (index % 1600 === 0) {
      step = 300 + (state % 4000);
      level = Math.floor(index / 1600) % 24 >= 16 ? 0 : (state >> 4) % 4;
      noise = level === 0 ? 4 : 10 - ((state >> 9) % 4);
    }
    phase = (phase + step) % 65_536;
    const tone = Math.floor(((Math.abs(phase - 32_768) - 16_384) * level) / 4);
    samples[index] = tone + ((state - 32_768) >> (16 - noise));
  }
  return samples;
}

export function signalSound(seconds: number, seed: number): Sound {
  return soundOf(Float32Array.from(signal(seconds, seed), (sample) => sample / 2 ** 15));
}
