import { AppError } from '../base/errors.ts';
import { type DecodeLimits, MIN_DURATION_SECONDS, type Pcm, SAMPLE_RATE } from './pcm.ts';

/** 1 MB, 16 s of audio: small beside a recording, large beside a pipe's chunk. */
const BLOCK_SAMPLES = 2 ** 18;
const BYTES_PER_SAMPLE = 4;

/**
 * Gathers 16 kHz mono samples until the duration limit. Memory is what was received, never what a header promised.
 * Bytes are little-endian float32, as every platform that runs Node has them.
 */
export class PcmCollector {
  /** Full blocks and, as the last one, the block being filled. */
  #blocks: Uint8Array[] = [];
  /** Bytes used of the last block. */
  #used = 0;
  #bytes = 0;
  readonly #limits: DecodeLimits;

  constructor(limits: DecodeLimits) {
    this.#limits = limits;
  }

  get seconds(): number {
    return this.#bytes / BYTES_PER_SAMPLE / SAMPLE_RATE;
  }

  /** Throws `audio_too_long` as soon as the limit is passed. A sample may be split between two calls. */
  add(bytes: Uint8Array): void {
    let rest = bytes;
    while (rest.length > 0) {
      let block = this.#blocks.at(-1);
      if (block === undefined || this.#used === block.length) {
        block = new Uint8Array(BLOCK_SAMPLES * BYTES_PER_SAMPLE);
        this.#blocks.push(block);
        this.#used = 0;
      }
      const part = rest.subarray(0, block.length - this.#used);
      block.set(part, this.#used);
      this.#used += part.length;
      this.#bytes += part.length;
      rest = rest.subarray(part.length);
    }
    if (this.seconds > this.#limits.maxDurationSeconds) throw tooLong(this.#limits.maxDurationSeconds);
    this.#limits.onProgress?.(this.seconds);
  }

  /** Everything added, as one array; the collector is empty afterwards. Throws `audio_too_short`. */
  finish(): Pcm {
    const length = Math.floor(this.#bytes / BYTES_PER_SAMPLE);
    const durationSeconds = length / SAMPLE_RATE;
    if (durationSeconds < MIN_DURATION_SECONDS) throw tooShort(durationSeconds);
    const samples = new Float32Array(length);
    const target = new Uint8Array(samples.buffer);
    let offset = 0;
    // Blocks are let go one by one, so that a long recording is not held twice for the whole copy.
    for (let block = this.#blocks.shift(); block !== undefined; block = this.#blocks.shift()) {
      target.set(block.subarray(0, target.length - offset), offset);
      offset += block.length;
    }
    this.#bytes = 0;
    sanitise(samples);
    return { samples, sampleRate: SAMPLE_RATE, durationSeconds };
  }
}

/** Decoders overshoot full scale a little, and float files may hold anything: NaN becomes silence, the rest is clipped. */
function sanitise(samples: Float32Array): void {
  for (let index = 0; index < samples.length; index += 1) {
    const value = samples[index]!;
    // One comparison that is false for NaN, too: nearly every sample passes here.
    if (value >= -1 && value <= 1) continue;
    samples[index] = Number.isNaN(value) ? 0 : Math.sign(value);
  }
}

function tooLong(maxDurationSeconds: number): AppError {
  const limit = `${maxDurationSeconds} s (${(maxDurationSeconds / 3600).toFixed(2)} h)`;
  return new AppError(
    'audio_too_long',
    `The audio is longer than this server accepts: the limit is ${limit}. Split the recording, or raise the limit on the server.`,
    { param: 'file' },
  );
}

function tooShort(durationSeconds: number): AppError {
  return new AppError(
    'audio_too_short',
    `The audio is ${durationSeconds.toFixed(3)} s long; at least ${MIN_DURATION_SECONDS} s is needed.`,
    { param: 'file' },
  );
}
