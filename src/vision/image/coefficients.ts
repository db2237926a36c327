/** The weights of Pillow's resampling, to the last bit (src/libImaging/Resample.c: `precompute_coeffs`, `normalize_coeffs_8bpc`). */
import type { Axis } from './geometry.ts';
import type { Resample } from './preprocessing.ts';

/** Weights are integers of this many bits behind the point: with 8 bits of a pixel and 2 of overshoot they fill 32. */
export const PRECISION_BITS = 22;

/** What each wanted pixel of an axis is made of. */
export interface Coefficients {
  /** [count]: the first pixel of the input that counts. */
  readonly firsts: Int32Array;
  /** [count]: how many from there on. */
  readonly lengths: Int32Array;
  /** [count × stride] */
  readonly weights: Int32Array;
  readonly stride: number;
}

export function coefficientsOf(axis: Axis, resample: Resample): Coefficients {
  const { weightAt, reach } = FILTERS[resample];
  const scale = axis.from / axis.to;
  // A reduced picture is smoothed as far as it is reduced; an enlarged one is not.
  const filterScale = Math.max(scale, 1);
  const support = reach * filterScale;
  const stride = Math.ceil(support) * 2 + 1;
  const firsts = new Int32Array(axis.count);
  const lengths = new Int32Array(axis.count);
  const weights = new Int32Array(axis.count * stride);
  const exact = new Float64Array(stride);
  for (let index = 0; index < axis.count; index += 1) {
    const centre = (axis.first + index + 0.5) * scale;
    const first = Math.max(Math.trunc(centre - support + 0.5), 0);
    const length = Math.min(Math.trunc(centre + support + 0.5), axis.from) - first;
    let sum = 0;
    for (let place = 0; place < length; place += 1) {
      const weight = weightAt((place + first - centre + 0.5) * (1 / filterScale));
      exact[place] = weight;
      sum += weight;
    }
    firsts[index] = first;
    lengths[index] = length;
    for (let place = 0; place < length; place += 1) {
      const weight = exact[place]! / (sum === 0 ? 1 : sum);
      weights[index * stride + place] = Math.trunc((weight < 0 ? -0.5 : 0.5) + weight * 2 ** PRECISION_BITS);
    }
  }
  return { firsts, lengths, weights, stride };
}

interface Filter {
  weightAt(distance: number): number;
  /** Pixels to either side that count when nothing is reduced. */
  readonly reach: number;
}

const FILTERS: Readonly<Record<Resample, Filter>> = {
  bilinear: { weightAt: (distance) => Math.max(1 - Math.abs(distance), 0), reach: 1 },
  bicubic: { weightAt: cubic, reach: 2 },
};

/** Keys' cubic with a = -0.5, in Pillow's order of operations. */
function cubic(distance: number): number {
  const a = -0.5;
  const x = Math.abs(distance);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}
