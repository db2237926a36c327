/**
 * Complex discrete Fourier transform of a length made of the factors 4 and 5, by Stockham's self-sorting algorithm: 400 points,
 * Whisper's window, is no power of two, and a padded transform would give other frequencies.
 */
export interface Fft {
  /** Transforms in place; `real` and `imaginary` hold `length` numbers each. */
  transform(real: Float64Array, imaginary: Float64Array): void;
}

interface Stage {
  readonly radix: number;
  /** Product of the radices before this stage. */
  readonly done: number;
  /** Points that share a twiddle factor. */
  readonly stride: number;
  /** cos and sin of -2π j p / (radix · done) at [j · radix + p]. */
  readonly cosines: Float64Array;
  readonly sines: Float64Array;
}

export function createFft(length: number): Fft {
  const stages = planStages(length);
  let nextReal: Float64Array = new Float64Array(length);
  let nextImaginary: Float64Array = new Float64Array(length);
  return {
    transform(real, imaginary) {
      let from = { real, imaginary };
      let to = { real: nextReal, imaginary: nextImaginary };
      for (const stage of stages) {
        if (stage.radix === 4) radix4(stage, from, to);
        else radix5(stage, from, to);
        [from, to] = [to, from];
      }
      if (from.real !== real) {
        real.set(from.real);
        imaginary.set(from.imaginary);
        nextReal = from.real;
        nextImaginary = from.imaginary;
      }
    },
  };
}

function planStages(length: number): Stage[] {
  const stages: Stage[] = [];
  let done = 1;
  while (done < length) {
    const rest = length / done;
    const radix = rest % 4 === 0 ? 4 : 5;
    if (rest % radix !== 0)
      throw new Error(`A transform of ${length} points is not made of the factors 4 and 5.`);
    const cosines = new Float64Array(done * radix);
    const sines = new Float64Array(done * radix);
    for (let j = 0; j < done; j += 1) {
      for (let p = 0; p < radix; p += 1) {
        const angle = (-2 * Math.PI * j * p) / (radix * done);
        cosines[j * radix + p] = Math.cos(angle);
        sines[j * radix + p] = Math.sin(angle);
      }
    }
    stages.push({ radix, done, stride: length / (done * radix), cosines, sines });
    done *= radix;
  }
  return stages;
}

interface Complex {
  readonly real: Float64Array;
  readonly imaginary: Float64Array;
}

function radix4({ done, stride, cosines, sines }: Stage, from: Complex, to: Complex): void {
  const { real: xr, imaginary: xi } = from;
  const { real: yr, imaginary: yi } = to;
  const hop = stride * done;
  for (let j = 0; j < done; j += 1) {
    const c1 = cosines[4 * j + 1]!;
    const c2 = cosines[4 * j + 2]!;
    const c3 = cosines[4 * j + 3]!;
    const s1 = sines[4 * j + 1]!;
    const s2 = sines[4 * j + 2]!;
    const s3 = sines[4 * j + 3]!;
    for (let k = 0; k < stride; k += 1) {
      const a = k + 4 * j * stride;
      const b = a + stride;
      const c = b + stride;
      const d = c + stride;
      const br = xr[b]! * c1 - xi[b]! * s1;
      const bi = xr[b]! * s1 + xi[b]! * c1;
      const cr = xr[c]! * c2 - xi[c]! * s2;
      const ci = xr[c]! * s2 + xi[c]! * c2;
      const dr = xr[d]! * c3 - xi[d]! * s3;
      const di = xr[d]! * s3 + xi[d]! * c3;
      const acr = xr[a]! + cr;
      const aci = xi[a]! + ci;
      const acDr = xr[a]! - cr;
      const acDi = xi[a]! - ci;
      const bdr = br + dr;
      const bdi = bi + di;
      const bdDr = br - dr;
      const bdDi = bi - di;
      const out = k + j * stride;
      yr[out] = acr + bdr;
      yi[out] = aci + bdi;
      yr[out + hop] = acDr + bdDi;
      yi[out + hop] = acDi - bdDr;
      yr[out + 2 * hop] = acr - bdr;
      yi[out + 2 * hop] = aci - bdi;
      yr[out + 3 * hop] = acDr - bdDi;
      yi[out + 3 * hop] = acDi + bdDr;
    }
  }
}

const COS_72 = Math.cos((2 * Math.PI) / 5);
const COS_144 = Math.cos((4 * Math.PI) / 5);
const SIN_72 = Math.sin((2 * Math.PI) / 5);
const SIN_144 = Math.sin((4 * Math.PI) / 5);

function radix5({ done, stride, cosines, sines }: Stage, from: Complex, to: Complex): void {
  const { real: xr, imaginary: xi } = from;
  const { real: yr, imaginary: yi } = to;
  const hop = stride * done;
  for (let j = 0; j < done; j += 1) {
    const c1 = cosines[5 * j + 1]!;
    const c2 = cosines[5 * j + 2]!;
    const c3 = cosines[5 * j + 3]!;
    const c4 = cosines[5 * j + 4]!;
    const s1 = sines[5 * j + 1]!;
    const s2 = sines[5 * j + 2]!;
    const s3 = sines[5 * j + 3]!;
    const s4 = sines[5 * j + 4]!;
    for (let k = 0; k < stride; k += 1) {
      const a = k + 5 * j * stride;
      const b = a + stride;
      const c = b + stride;
      const d = c + stride;
      const e = d + stride;
      const t0r = xr[a]!;
      const t0i = xi[a]!;
      const t1r = xr[b]! * c1 - xi[b]! * s1;
      const t1i = xr[b]! * s1 + xi[b]! * c1;
      const t2r = xr[c]! * c2 - xi[c]! * s2;
      const t2i = xr[c]! * s2 + xi[c]! * c2;
      const t3r = xr[d]! * c3 - xi[d]! * s3;
      const t3i = xr[d]! * s3 + xi[d]! * c3;
      const t4r = xr[e]! * c4 - xi[e]! * s4;
      const t4i = xr[e]! * s4 + xi[e]! * c4;
      const s14r = t1r + t4r;
      const s14i = t1i + t4i;
      const d14r = t1r - t4r;
      const d14i = t1i - t4i;
      const s23r = t2r + t3r;
      const s23i = t2i + t3i;
      const d23r = t2r - t3r;
      const d23i = t2i - t3i;
      const m1r = t0r + COS_72 * s14r + COS_144 * s23r;
      const m1i = t0i + COS_72 * s14i + COS_144 * s23i;
      const m2r = t0r + COS_144 * s14r + COS_72 * s23r;
      const m2i = t0i + COS_144 * s14i + COS_72 * s23i;
      const n1r = SIN_72 * d14r + SIN_144 * d23r;
      const n1i = SIN_72 * d14i + SIN_144 * d23i;
      const n2r = SIN_144 * d14r - SIN_72 * d23r;
      const n2i = SIN_144 * d14i - SIN_72 * d23i;
      const out = k + j * stride;
      yr[out] = t0r + s14r + s23r;
      yi[out] = t0i + s14i + s23i;
      yr[out + hop] = m1r + n1i;
      yi[out + hop] = m1i - n1r;
      yr[out + 2 * hop] = m2r + n2i;
      yi[out + 2 * hop] = m2i - n2r;
      yr[out + 3 * hop] = m2r - n2i;
      yi[out + 3 * hop] = m2i + n2r;
      yr[out + 4 * hop] = m1r - n1i;
      yi[out + 4 * hop] = m1i + n1r;
    }
  }
}
