/**
 * Kaldi's log-mel filter bank as torchaudio computes it (compliance/kaldi.py, `fbank`, with dither 0 and energy_floor 0): windows of 25 ms every
 * 10 ms that lie wholly inside the sound, on samples scaled as 16-bit integers. Computed in float64; torchaudio's float32 differs by up to 1e-3 where
 * a band is nearly silent.
 */
import { createFft } from '../../audio/fft.ts';
import { SAMPLE_RATE } from '../../audio/pcm.ts';
import type { Sound } from '../../audio/sound.ts';

/** 10 ms. */
export const FRAME_SHIFT_SAMPLES = 160;
const WINDOW_SAMPLES = 400;
/** The next power of two; the rest is zero. */
const FFT_POINTS = 512;
const HALF_POINTS = FFT_POINTS / 2;
const PREEMPHASIS = 0.97;
/** Povey's window is a Hann window to this power. */
const POVEY_POWER = 0.85;
const LOWEST_HERTZ = 20;
/** The smallest energy: the epsilon of float32. */
const SMALLEST_ENERGY = 2 ** -23;
const INTEGER_SCALE = 2 ** 15;

export interface Fbank {
  readonly bins: number;
  /** Features of the frames [start, end), [frames × bins], row-major; the frames must exist. */
  features(sound: Pick<Sound, 'read'>, start: number, end: number): Float32Array;
}

/** How many frames a sound of so many samples has. */
export function frameCount(samples: number): number {
  return samples < WINDOW_SAMPLES ? 0 : 1 + Math.floor((samples - WINDOW_SAMPLES) / FRAME_SHIFT_SAMPLES);
}

export function createFbank(bins: number): Fbank {
  const spectrum = createPowerSpectrum();
  const window = poveyWindow();
  const filters = melFilters(bins);
  const frame = new Float64Array(FFT_POINTS);
  return {
    bins,
    features(sound, start, end) {
      const samples = sound.read(
        start * FRAME_SHIFT_SAMPLES,
        (end - 1) * FRAME_SHIFT_SAMPLES + WINDOW_SAMPLES,
      );
      const features = new Float32Array((end - start) * bins);
      for (let index = 0; index < end - start; index += 1) {
        cutFrame(samples, index * FRAME_SHIFT_SAMPLES, { window, frame });
        const power = spectrum(frame);
        for (let bin = 0; bin < bins; bin += 1) {
          const { first, weights } = filters[bin]!;
          let energy = 0;
          for (let k = 0; k < weights.length; k += 1) energy += weights[k]! * power[first + k]!;
          features[index * bins + bin] = Math.log(Math.max(energy, SMALLEST_ENERGY));
        }
      }
      return features;
    },
  };
}

function poveyWindow(): Float64Array {
  return Float64Array.from(
    { length: WINDOW_SAMPLES },
    (_, n) => (0.5 - 0.5 * Math.cos((2 * Math.PI * n) / (WINDOW_SAMPLES - 1))) ** POVEY_POWER,
  );
}

/** Without its mean, with high frequencies raised, windowed. */
function cutFrame(
  samples: Float32Array,
  start: number,
  { window, frame }: { readonly window: Float64Array; readonly frame: Float64Array },
): void {
  let sum = 0;
  for (let n = 0; n < WINDOW_SAMPLES; n += 1) sum += samples[start + n]!;
  const mean = sum / WINDOW_SAMPLES;
  // The sample before the first is taken to equal it.
  let previous = samples[start]! - mean;
  for (let n = 0; n < WINDOW_SAMPLES; n += 1) {
    const value = samples[start + n]! - mean;
    frame[n] = INTEGER_SCALE * (value - PREEMPHASIS * previous) * window[n]!;
    previous = value;
  }
}

/** |X[k]|² for k below the Nyquist frequency, by a complex transform of half the points: even samples are real, odd ones imaginary. */
function createPowerSpectrum(): (frame: Float64Array) => Float64Array {
  const fft = createFft(HALF_POINTS);
  const real = new Float64Array(HALF_POINTS);
  const imaginary = new Float64Array(HALF_POINTS);
  const cosines = Float64Array.from({ length: HALF_POINTS }, (_, k) =>
    Math.cos((2 * Math.PI * k) / FFT_POINTS),
  );
  const sines = Float64Array.from({ length: HALF_POINTS }, (_, k) =>
    Math.sin((2 * Math.PI * k) / FFT_POINTS),
  );
  const power = new Float64Array(HALF_POINTS);
  return (frame) => {
    for (let n = 0; n < HALF_POINTS; n += 1) {
      real[n] = frame[2 * n]!;
      imaginary[n] = frame[2 * n + 1]!;
    }
    fft.transform(real, imaginary);
    for (let k = 0; k < HALF_POINTS; k += 1) {
      const mirror = (HALF_POINTS - k) % HALF_POINTS;
      const evenReal = (real[k]! + real[mirror]!) / 2;
      const evenImaginary = (imaginary[k]! - imaginary[mirror]!) / 2;
      const oddReal = (imaginary[k]! + imaginary[mirror]!) / 2;
      const oddImaginary = (real[mirror]! - real[k]!) / 2;
      const re = evenReal + oddReal * cosines[k]! + oddImaginary * sines[k]!;
      const im = evenImaginary + oddImaginary * cosines[k]! - oddReal * sines[k]!;
      power[k] = re * re + im * im;
    }
    return power;
  };
}

/** A triangle over frequencies: the first one it covers, and its weights. */
interface MelFilter {
  readonly first: number;
  readonly weights: Float64Array;
}

/** Triangles of equal width on Kaldi's mel scale, from 20 Hz to the Nyquist frequency. */
function melFilters(bins: number): MelFilter[] {
  const lowest = mel(LOWEST_HERTZ);
  const step = (mel(SAMPLE_RATE / 2) - lowest) / (bins + 1);
  return Array.from({ length: bins }, (_, bin) => {
    const left = lowest + bin * step;
    const all = Float64Array.from({ length: HALF_POINTS }, (_, k) => {
      const place = (mel((k * SAMPLE_RATE) / FFT_POINTS) - left) / step;
      return Math.max(0, Math.min(place, 2 - place));
    });
    const first = Math.max(
      0,
      all.findIndex((weight) => weight > 0),
    );
    return { first, weights: all.slice(first, all.findLastIndex((weight) => weight > 0) + 1) };
  });
}

function mel(hertz: number): number {
  return 1127 * Math.log(1 + hertz / 700);
}
