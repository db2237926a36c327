/**
 * Sample-rate conversion to 16 kHz: a windowed sinc (Kaiser), evaluated only at the output's instants (polyphase).
 * Linear phase with the delay taken out: output k is the input's value at the time of k / 16000 s. The result does
 * not depend on how the input was cut into blocks, bit for bit.
 */
import { SAMPLE_RATE } from './pcm.ts';

/** Everything from the lower rate's Nyquist frequency up is at least this far down; 16-bit audio has 96 dB. */
const STOP_BAND_DB = 96;
/** Width of the transition band, as a share of the lower rate's Nyquist frequency: 16 kHz keeps 0 to 7.2 kHz flat. */
const TRANSITION = 0.1;
/** 44.1 kHz needs 160 phases, 11.025 kHz 640. Rates with more share a table and interpolate it: error -106 dB. */
const MAX_EXACT_PHASES = 640;
const TABLE_PHASES = 1024;

export class Resampler {
  readonly #filter: PolyphaseFilter;
  /** Input samples still needed; the first `halfTaps` are zeros from before the beginning. */
  #history: Float64Array;
  #held: number;
  /** Index in `#history` of the input sample at or before the next output, and the rest in phases. */
  #position: number;
  #phase = 0;
  #inputSamples = 0;
  #outputSamples = 0;

  /** `sourceRate`: a whole number of samples a second. */
  constructor(sourceRate: number) {
    this.#filter = designFilter(sourceRate);
    this.#history = new Float64Array(this.#filter.taps + 4096);
    this.#held = this.#filter.halfTaps;
    this.#position = this.#filter.halfTaps;
  }

  /** The output that became certain with these samples; may be empty. */
  push(samples: Float32Array): Float32Array<ArrayBuffer> {
    this.#inputSamples += samples.length;
    this.#append(samples);
    return this.#drain(Number.POSITIVE_INFINITY);
  }

  /** The rest, so that in all exactly ceil(input * 16000 / rate) samples came out. */
  flush(): Float32Array<ArrayBuffer> {
    const { up, down, halfTaps } = this.#filter;
    const total = Math.ceil((this.#inputSamples * up) / down);
    this.#append(new Float32Array(halfTaps + 1));
    return this.#drain(total - this.#outputSamples);
  }

  #append(samples: Float32Array): void {
    const needed = this.#held + samples.length;
    if (needed > this.#history.length) {
      const grown = new Float64Array(needed * 2);
      grown.set(this.#history.subarray(0, this.#held));
      this.#history = grown;
    }
    this.#history.set(samples, this.#held);
    this.#held = needed;
  }

  #drain(limit: number): Float32Array<ArrayBuffer> {
    const { up, halfTaps, step, stepPhases } = this.#filter;
    const ready = ((this.#held - halfTaps - this.#position) * up - this.#phase) / this.#filter.down;
    const output = new Float32Array(Math.max(0, Math.min(limit, Math.ceil(ready))));
    for (let index = 0; index < output.length; index += 1) {
      output[index] = this.#valueAt(this.#position - halfTaps + 1);
      this.#position += step;
      this.#phase += stepPhases;
      if (this.#phase >= up) {
        this.#phase -= up;
        this.#position += 1;
      }
    }
    this.#outputSamples += output.length;
    this.#forget();
    return output;
  }

  #valueAt(start: number): number {
    const { rows, up, exact } = this.#filter;
    if (exact) return dot(this.#history, start, rows[this.#phase]!);
    const place = (this.#phase / up) * TABLE_PHASES;
    const row = Math.floor(place);
    const below = dot(this.#history, start, rows[row]!);
    return below + (dot(this.#history, start, rows[row + 1]!) - below) * (place - row);
  }

  #forget(): void {
    const spent = Math.min(this.#position - this.#filter.halfTaps + 1, this.#held);
    if (spent <= 0) return;
    this.#history.copyWithin(0, spent, this.#held);
    this.#held -= spent;
    this.#position -= spent;
  }
}

function dot(history: Float64Array, start: number, row: Float64Array): number {
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  // Four sums break the chain of dependent additions; the length of a row is a multiple of four.
  for (let tap = 0, at = start; tap < row.length; tap += 4, at += 4) {
    a += history[at]! * row[tap]!;
    b += history[at + 1]! * row[tap + 1]!;
    c += history[at + 2]! * row[tap + 2]!;
    d += history[at + 3]! * row[tap + 3]!;
  }
  return a + b + (c + d);
}

interface PolyphaseFilter {
  /** Output k lies at input time k * down / up; both without a common factor. */
  readonly up: number;
  readonly down: number;
  /** down / up, as whole input samples and a rest in units of 1 / up. */
  readonly step: number;
  readonly stepPhases: number;
  readonly halfTaps: number;
  readonly taps: number;
  /** One row for each phase; or, when not exact, TABLE_PHASES + 1 rows between which to interpolate. */
  readonly exact: boolean;
  /** Row p, tap t: weight of input floor(time) - halfTaps + 1 + t. */
  readonly rows: readonly Float64Array[];
}

function designFilter(sourceRate: number): PolyphaseFilter {
  const divisor = greatestCommonDivisor(sourceRate, SAMPLE_RATE);
  const up = SAMPLE_RATE / divisor;
  const down = sourceRate / divisor;
  // In units of the source rate: the stop band begins at the lower of both Nyquist frequencies.
  const stop = Math.min(0.5, (0.5 * SAMPLE_RATE) / sourceRate);
  const transition = stop * TRANSITION;
  // Kaiser's estimates of the length and the shape for a given attenuation.
  const halfTaps = 2 * Math.ceil((STOP_BAND_DB - 7.95) / (14.36 * transition) / 4);
  const beta = 0.1102 * (STOP_BAND_DB - 8.7);
  const exact = up <= MAX_EXACT_PHASES;
  const phases = exact ? up : TABLE_PHASES;
  const shape = { cutoff: stop - transition / 2, beta, halfTaps };
  const rows = Array.from({ length: exact ? up : TABLE_PHASES + 1 }, (_, phase) => {
    return filterRow(phase / phases, shape);
  });
  const step = Math.floor(down / up);
  return { up, down, step, stepPhases: down - step * up, halfTaps, taps: halfTaps * 2, exact, rows };
}

interface FilterShape {
  readonly cutoff: number;
  readonly beta: number;
  readonly halfTaps: number;
}

/** The taps for an output that lies `fraction` of a sample after an input; their sum is 1, so a constant stays one. */
function filterRow(fraction: number, shape: FilterShape): Float64Array {
  const { cutoff, beta, halfTaps } = shape;
  const row = new Float64Array(halfTaps * 2);
  let sum = 0;
  for (let tap = 0; tap < row.length; tap += 1) {
    const distance = tap - halfTaps + 1 - fraction;
    const edge = 1 - (distance / halfTaps) ** 2;
    const window = edge <= 0 ? 0 : bessel(beta * Math.sqrt(edge));
    row[tap] = sinc(2 * cutoff * distance) * window;
    sum += row[tap]!;
  }
  return row.map((weight) => weight / sum);
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

/** The modified Bessel function of the first kind and order zero, by its power series. */
function bessel(x: number): number {
  const quarter = (x * x) / 4;
  let term = 1;
  let sum = 1;
  for (let k = 1; term > sum * 1e-18; k += 1) {
    term *= quarter / (k * k);
    sum += term;
  }
  return sum;
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
