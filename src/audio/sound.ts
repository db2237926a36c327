/** Sound of any length in little memory: 16 bits a sample, and what is long in a file. */
import { closeSync, mkdirSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '../base/errors.ts';

/** 16 kHz mono. */
export interface Sound {
  /** In samples. */
  readonly length: number;
  /** A copy of the samples [start, end) as far as there are any, each from -1 to below 1. */
  read(start: number, end: number): Float32Array;
  /** Gives its memory or file back; it must not be read afterwards. */
  close(): void;
}

export interface SoundWriter {
  readonly length: number;
  /** Rounds to 16 bits, as every recording that Whisper was trained on; values outside of -1 to 1 are clipped. Throws `disk_full`. */
  append(samples: Float32Array): void;
  /** All that was appended; the writer must not be used afterwards. */
  finish(): Sound;
  /** Gives everything back, unless `finish` has. */
  discard(): void;
}

/** 0.5 MB, 16 s. */
const BLOCK_SAMPLES = 2 ** 18;
/** 16 MB, nearly nine minutes; what is longer goes to a file. */
const BLOCKS_IN_MEMORY = 32;
const SCALE = 2 ** 15;

export function soundOf(samples: Float32Array): Sound {
  return {
    length: samples.length,
    read: (start, end) => samples.slice(Math.max(0, start), Math.max(0, end)),
    close: () => {},
  };
}

/** The samples of an opened file, 16 bits each from `startByte` on, read as they are asked for; `close` closes the file. */
export function soundInFile(
  file: number,
  { startByte, length }: { readonly startByte: number; readonly length: number },
): Sound {
  return {
    length,
    read: (start, end) => readFrom(file, startByte + 2 * start, Math.min(end, length) - start),
    close: () => closeSync(file),
  };
}

/** `directory`: where a long sound has its file, under the name of this process; it is made when needed. */
export function createSoundWriter(directory: string): SoundWriter {
  /** In memory: all blocks; with a file: the one that is being filled. */
  let blocks: Int16Array[] = [];
  /** Samples used of the last block. */
  let used = BLOCK_SAMPLES;
  let length = 0;
  let file: SoundFile | undefined;

  function nextBlock(): Int16Array {
    if (used < BLOCK_SAMPLES) return blocks.at(-1)!;
    if (blocks.length === BLOCKS_IN_MEMORY) file ??= createSoundFile(directory);
    if (file !== undefined) {
      for (const block of blocks) file.write(block);
      blocks = [blocks.at(-1) ?? new Int16Array(BLOCK_SAMPLES)];
    } else blocks.push(new Int16Array(BLOCK_SAMPLES));
    used = 0;
    return blocks.at(-1)!;
  }

  return {
    get length() {
      return length;
    },
    append(samples) {
      for (let at = 0; at < samples.length; ) {
        const block = nextBlock();
        const count = Math.min(samples.length - at, BLOCK_SAMPLES - used);
        for (let index = 0; index < count; index += 1) block[used + index] = toInteger(samples[at + index]!);
        used += count;
        at += count;
        length += count;
      }
    },
    finish() {
      const kept = blocks;
      const opened = file;
      file = undefined;
      if (opened === undefined)
        return { length, read: (start, end) => readBlocks(kept, start, Math.min(end, length)), close() {} };
      opened.write(kept.at(-1)!.subarray(0, used));
      return { length, read: (start, end) => opened.read(start, Math.min(end, length)), close: opened.close };
    },
    discard() {
      file?.close();
      file = undefined;
    },
  };
}

/** NaN, which a float file may hold, becomes silence. */
function toInteger(value: number): number {
  const scaled = Math.round(value * SCALE);
  return scaled < -SCALE ? -SCALE : scaled >= SCALE ? SCALE - 1 : scaled || 0;
}

function readBlocks(blocks: readonly Int16Array[], start: number, end: number): Float32Array {
  const samples = new Float32Array(Math.max(0, end - start));
  for (let at = 0; at < samples.length; at += 1) {
    const place = start + at;
    samples[at] = blocks[Math.floor(place / BLOCK_SAMPLES)]![place % BLOCK_SAMPLES]! / SCALE;
  }
  return samples;
}

interface SoundFile {
  write(samples: Int16Array): void;
  read(start: number, end: number): Float32Array;
  close(): void;
}

/** Where the system allows it the file has no name, so that it goes with the process; elsewhere it goes at `close`, or at the server's next start. */
function createSoundFile(root: string): SoundFile {
  const directory = join(root, String(process.pid));
  const path = join(directory, `${crypto.randomUUID()}.pcm`);
  const remove = () => rmSync(path, { force: true });
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const file = openSync(path, 'wx+', 0o600);
  const hasName = process.platform === 'win32';
  if (!hasName) remove();
  return {
    write(samples) {
      try {
        writeSync(file, new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength));
      } catch (cause) {
        if ((cause as NodeJS.ErrnoException).code !== 'ENOSPC') throw cause;
        throw new AppError(
          'disk_full',
          `The disk of ${root} has no room for the decoded recording, 115 MB an hour. Free space there, or send a shorter one.`,
          { cause },
        );
      }
    },
    read: (start, end) => readFrom(file, 2 * start, end - start),
    close() {
      closeSync(file);
      if (hasName) remove();
    },
  };
}

/** Little-endian, as every platform that runs Node is. */
function readFrom(file: number, position: number, count: number): Float32Array {
  const integers = new Int16Array(Math.max(0, count));
  readSync(file, new Uint8Array(integers.buffer), { position });
  const samples = new Float32Array(integers.length);
  for (let index = 0; index < samples.length; index += 1) samples[index] = integers[index]! / SCALE;
  return samples;
}
