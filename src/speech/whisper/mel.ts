/**
 * Whisper's log-mel front end (openai/whisper audio.py, `log_mel_spectrogram`): 16 kHz, periodic Hann window of 400 samples,
 * hop 160, power spectrum, Slaney mel filters over 0 to 8 kHz, log10, clamped to 8 below the maximum, (x + 4) / 4.
 */
import { createFft } from '../../audio/fft.ts';

export const SAMPLE_RATE = 16_000;
export const HOP_SAMPLES = 160;
/** Mel frames of 10 ms in a second; the encoder's positions are half as many. */
export const FRAMES_PER_SECOND = SAMPLE_RATE / HOP_SAMPLES;
const WINDOW_SAMPLES = 400;
const FREQUENCIES = WINDOW_SAMPLES / 2 + 1;
const SMALLEST_POWER = 1e-10;
const SILENT_LOG_POWER = Math.log10(SMALLEST_POWER);

export interface MelFrontEnd {
  /**
   * Log-mel features [bins × frames], row-major. Samples past the end count as silence; before the beginning the signal is
   * mirrored, as the reference does.
   */
  features(samples: Float32Array, frames: number): Float32Array;
}

export function createMelFrontEnd(bins: number): MelFrontEnd {
  const fft = createFft(WINDOW_SAMPLES);
  const window = hannWindow();
  const filters = melFilters(bins);
  const real = new Float64Array(WINDOW_SAMPLES);
  const imaginary = new Float64Array(WINDOW_SAMPLES);
  const power = [new Float64Array(FREQUENCIES), new Float64Array(FREQUENCIES)] as const;
  return {
    features(samples, frames) {
      const mel = new Float32Array(bins * frames).fill(SILENT_LOG_POWER);
      // Two real frames share one complex transform; those behind the last sample hold nothing.
      const heard = Math.min(frames, Math.ceil((samples.length + WINDOW_SAMPLES / 2) / HOP_SAMPLES));
      for (let frame = 0; frame < heard; frame += 2) {
        cutFrame(samples, frame, { window, out: real });
        cutFrame(samples, frame + 1, { window, out: imaginary });
        fft.transform(real, imaginary);
        splitPower(real, imaginary, power);
        applyFilters(filters, power[0], { mel, frame, frames });
        if (frame + 1 < frames) applyFilters(filters, power[1], { mel, frame: frame + 1, frames });
      }
      return normalise(mel);
    },
  };
}

function hannWindow(): Float64Array {
  return Float64Array.from(
    { length: WINDOW_SAMPLES },
    (_, n) => 0.5 - 0.5 * Math.cos((2 * Math.PI * n) / WINDOW_SAMPLES),
  );
}

function cutFrame(
  samples: Float32Array,
  frame: number,
  target: { window: Float64Array; out: Float64Array },
): void {
  const { window, out } = target;
  const start = frame * HOP_SAMPLES - WINDOW_SAMPLES / 2;
  if (start >= 0 && start + WINDOW_SAMPLES <= samples.length) {
    for (let n = 0; n < WINDOW_SAMPLES; n += 1) out[n] = samples[start + n]! * window[n]!;
    return;
  }
  for (let n = 0; n < WINDOW_SAMPLES; n += 1) out[n] = (samples[Math.abs(start + n)] ?? 0) * window[n]!;
}

/** The spectra of the real and the imaginary signal, by symmetry: A = (Z[k] + Z*[n-k]) / 2, B = (Z[k] - Z*[n-k]) / 2i. */
function splitPower(
  real: Float64Array,
  imaginary: Float64Array,
  power: readonly [Float64Array, Float64Array],
): void {
  for (let k = 0; k < FREQUENCIES; k += 1) {
    const mirror = k === 0 ? 0 : WINDOW_SAMPLES - k;
    const ar = (real[k]! + real[mirror]!) / 2;
    const ai = (imaginary[k]! - imaginary[mirror]!) / 2;
    const br = (imaginary[k]! + imaginary[mirror]!) / 2;
    const bi = (real[mirror]! - real[k]!) / 2;
    power[0][k] = ar * ar + ai * ai;
    power[1][k] = br * br + bi * bi;
  }
}

/** A triangle: the first frequency it covers and its weights. */
interface MelFilter {
  readonly start: number;
  readonly weights: Float64Array;
}

function applyFilters(
  filters: readonly MelFilter[],
  power: Float64Array,
  target: { mel: Float32Array; frame: number; frames: number },
): void {
  for (let bin = 0; bin < filters.length; bin += 1) {
    const { start, weights } = filters[bin]!;
    let sum = 0;
    for (let index = 0; index < weights.length; index += 1) sum += weights[index]! * power[start + index]!;
    target.mel[bin * target.frames + target.frame] = Math.log10(Math.max(sum, SMALLEST_POWER));
  }
}

function normalise(mel: Float32Array): Float32Array {
  let maximum = Number.NEGATIVE_INFINITY;
  for (const value of mel) if (value > maximum) maximum = value;
  const floor = maximum - 8;
  for (let index = 0; index < mel.length; index += 1) mel[index] = (Math.max(mel[index]!, floor) + 4) / 4;
  return mel;
}

/** librosa.filters.mel(sr=16000, n_fft=400, n_mels=bins): Slaney's scale, triangles of equal area. */
function melFilters(bins: number): MelFilter[] {
  const highest = hertzToMel(SAMPLE_RATE / 2);
  const edges = Array.from({ length: bins + 2 }, (_, index) => melToHertz((highest * index) / (bins + 1)));
  const resolution = SAMPLE_RATE / WINDOW_SAMPLES;
  return Array.from({ length: bins }, (_, bin) => {
    const [low, centre, high] = [edges[bin]!, edges[bin + 1]!, edges[bin + 2]!];
    const all = Float64Array.from({ length: FREQUENCIES }, (_, k) => {
      const hertz = k * resolution;
      const height = Math.max(0, Math.min((hertz - low) / (centre - low), (high - hertz) / (high - centre)));
      return (height * 2) / (high - low);
    });
    const start = Math.max(
      0,
      all.findIndex((weight) => weight > 0),
    );
    const end = all.findLastIndex((weight) => weight > 0) + 1;
    return { start, weights: all.slice(start, Math.max(start, end)) };
  });
}

/** Slaney's mel scale: linear below 1 kHz (200/3 Hz a mel), logarithmic above (27 mels for a factor of 6.4). */
const LINEAR_HERTZ_PER_MEL = 200 / 3;
const LOG_START_HERTZ = 1000;
const LOG_START_MEL = LOG_START_HERTZ / LINEAR_HERTZ_PER_MEL;
const LOG_STEP = Math.log(6.4) / 27;

function hertzToMel(hertz: number): number {
  if (hertz < LOG_START_HERTZ) return hertz / LINEAR_HERTZ_PER_MEL;
  return LOG_START_MEL + Math.log(hertz / LOG_START_HERTZ) / LOG_STEP;
}

function melToHertz(mel: number): number {
  if (mel < LOG_START_MEL) return mel * LINEAR_HERTZ_PER_MEL;
  return LOG_START_HERTZ * Math.exp(LOG_STEP * (mel - LOG_START_MEL));
}
