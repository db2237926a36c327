/** What is left of a sine in a signal: its share by least squares. */
export interface SineFit {
  readonly amplitude: number;
  /** Energy of the sine over that of everything else. */
  readonly snrDb: number;
  /** Mean power of the signal as a whole, where a sine of half of full scale has 0 dB. */
  readonly levelDb: number;
  /** With the ideal sine at its best phase; 1 when nothing else is there. */
  readonly correlation: number;
}

/** Fits a sine to the samples without the first and the last `edge`, where filters begin and encoders fade. */
export function fitSine(
  samples: ArrayLike<number>,
  options: { frequency: number; rate: number; edge: number },
): SineFit {
  const turn = (2 * Math.PI * options.frequency) / options.rate;
  const end = samples.length - options.edge;
  const count = end - options.edge;
  let sine = 0;
  let cosine = 0;
  let energy = 0;
  for (let index = options.edge; index < end; index += 1) {
    sine += (samples[index]! * Math.sin(turn * index) * 2) / count;
    cosine += (samples[index]! * Math.cos(turn * index) * 2) / count;
    energy += samples[index]! ** 2;
  }
  let rest = 0;
  for (let index = options.edge; index < end; index += 1) {
    rest += (samples[index]! - sine * Math.sin(turn * index) - cosine * Math.cos(turn * index)) ** 2;
  }
  return {
    amplitude: Math.hypot(sine, cosine),
    snrDb: 10 * Math.log10((energy - rest) / rest),
    levelDb: 10 * Math.log10(energy / count / 0.125),
    correlation: Math.sqrt(Math.max(0, 1 - rest / energy)),
  };
}
