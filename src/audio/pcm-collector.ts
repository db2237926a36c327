import { AppError } from '../base/errors.ts';
import { type DecodeLimits, MIN_DURATION_SECONDS, type Pcm, SAMPLE_RATE } from './pcm.ts';
import { createSoundWriter, type SoundWriter } from './sound.ts';

const BYTES_PER_SAMPLE = 4;

/**
 * Gathers 16 kHz mono samples until the duration limit. What is kept is what was received, never what a header promised.
 * Bytes are little-endian float32, as every platform that runs Node has them.
 */
export class PcmCollector {
  readonly #limits: DecodeLimits;
  readonly #writer: SoundWriter;
  /** The beginning of a sample that a chunk has cut. */
  #rest = new Uint8Array(0);

  constructor(limits: DecodeLimits) {
    this.#limits = limits;
    this.#writer = createSoundWriter(limits.directory);
  }

  get seconds(): number {
    return this.#writer.length / SAMPLE_RATE;
  }

  /** Throws `audio_too_long` as soon as the limit is passed, and `disk_full`. A sample may be split between two calls. */
  add(bytes: Uint8Array): void {
    // A copy, as samples must lie at multiples of four.
    const joined = new Uint8Array(this.#rest.length + bytes.length);
    joined.set(this.#rest);
    joined.set(bytes, this.#rest.length);
    const count = Math.floor(joined.length / BYTES_PER_SAMPLE);
    this.#rest = joined.slice(count * BYTES_PER_SAMPLE);
    this.#writer.append(new Float32Array(joined.buffer, 0, count));
    requireNotTooLong(this.seconds, this.#limits);
    this.#limits.onProgress?.(this.seconds);
  }

  /** Everything added; the collector is empty afterwards. Throws `audio_too_short`. */
  finish(): Pcm {
    const durationSeconds = this.seconds;
    requireDuration(durationSeconds, this.#limits);
    return { sound: this.#writer.finish(), durationSeconds };
  }

  /** Gives back what was not finished. */
  discard(): void {
    this.#writer.discard();
  }
}

/** Throws `audio_too_short` and `audio_too_long`. */
export function requireDuration(seconds: number, limits: DecodeLimits): void {
  if (seconds < MIN_DURATION_SECONDS) throw tooShort(seconds);
  requireNotTooLong(seconds, limits);
}

function requireNotTooLong(seconds: number, { maxDurationSeconds }: DecodeLimits): void {
  if (seconds > maxDurationSeconds) throw tooLong(maxDurationSeconds);
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
