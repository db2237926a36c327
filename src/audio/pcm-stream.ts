import { SAMPLE_RATE } from './pcm.ts';
import { Resampler } from './resample.ts';

/** Raw sound as it comes: mono, 16 bits, little-endian. */
export interface PcmStream {
  /** The 16 kHz samples that became certain with these bytes. A sample may be cut between two calls. */
  push(bytes: Uint8Array): Float32Array<ArrayBuffer>;
  /** The rest. */
  flush(): Float32Array<ArrayBuffer>;
}

/** `sampleRate`: a whole number of samples a second. */
export function openPcmStream(sampleRate: number): PcmStream {
  const resampler = sampleRate === SAMPLE_RATE ? undefined : new Resampler(sampleRate);
  /** The first byte of a sample whose second has not come, or nothing. */
  let held: Uint8Array = new Uint8Array(0);
  return {
    push(bytes) {
      const all = held.length === 0 ? bytes : Buffer.concat([held, bytes]);
      const samples = readSamples(all);
      held = Uint8Array.from(all.subarray(samples.length * 2));
      return resampler?.push(samples) ?? samples;
    },
    flush: () => resampler?.flush() ?? new Float32Array(0),
  };
}

/** Of whole samples only. */
function readSamples(bytes: Uint8Array): Float32Array<ArrayBuffer> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const samples = new Float32Array(bytes.length >> 1);
  for (let index = 0; index < samples.length; index += 1) {
    samples[index] = view.getInt16(index * 2, true) / 2 ** 15;
  }
  return samples;
}

/** 16 kHz samples as raw sound: the inverse. */
export function writePcm(samples: Float32Array): Uint8Array {
  const bytes = Buffer.alloc(samples.length * 2);
  samples.forEach((sample, index) => {
    bytes.writeInt16LE(Math.max(-32_768, Math.min(32_767, Math.round(sample * 2 ** 15))), index * 2);
  });
  return bytes;
}
