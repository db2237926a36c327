/** More recordings made of a few: each at another speed, loudness and noise, alone or joined to a long one. */
import { type FileHandle, open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SAMPLE_RATE, samplesOf, silence, wav, whiteNoise } from '../test-models/support/recordings.ts';
import type { Recording } from './measure.ts';

const GAP_SECONDS = 1;
/** The three lists have no common length, so that 84 turns differ. */
const SPEEDS = [1, 0.94, 1.06, 0.97, 1.03, 0.9, 1.1];
const GAINS = [1, 0.6, 0.3];
const NOISES = [0, 0.001, 0.003, 0.008];

/** Each recording `count` times, as files in `folder`. */
export async function variantsOf(
  short: readonly Recording[],
  { count, folder }: { readonly count: number; readonly folder: string },
): Promise<Recording[]> {
  const variants: Recording[] = [];
  for (const [index, { path, reference }] of short.entries()) {
    const samples = await samplesOf(path);
    for (let turn = 0; turn < count; turn += 1) {
      const copy = join(folder, `${index}-${turn}.wav`);
      await writeFile(copy, wav(varied(samples, index * count + turn)));
      variants.push({ path: copy, reference });
    }
  }
  return variants;
}

export interface LongRecording {
  readonly path: string;
  readonly seconds: number;
  /** Another one makes another recording of the same length. */
  readonly firstTurn?: number;
  /** Ends after `seconds`, even within a word, so that the reference says too much; else after the recording that reaches them. */
  readonly isCut?: boolean;
}

/** The recordings again and again, in another order each time and never twice alike, with pauses. Only one of them is in memory at a time. */
export async function writeLong(
  short: readonly Recording[],
  { path, seconds, firstTurn = 0, isCut = false }: LongRecording,
): Promise<Recording> {
  const parts = await Promise.all(
    short.map(async ({ path, reference }) => ({ samples: await samplesOf(path), reference })),
  );
  const gap = silence(GAP_SECONDS);
  const references: string[] = [];
  const file = await openWav(path, isCut ? seconds : Number.POSITIVE_INFINITY);
  try {
    for (let turn = firstTurn; file.seconds() < seconds; turn += 1) {
      const part = parts[(turn * 2 + Math.floor(turn / parts.length)) % parts.length]!;
      await file.append(varied(part.samples, turn));
      await file.append(gap);
      references.push(part.reference);
    }
  } finally {
    await file.close();
  }
  return { path, reference: references.join(' ') };
}

/** At another speed, loudness and noise in each turn. */
function varied(samples: Float32Array, turn: number): Float32Array {
  const [speed, gain] = [SPEEDS[turn % SPEEDS.length]!, GAINS[turn % GAINS.length]!];
  const length = Math.floor((samples.length - 1) / speed);
  const noise = whiteNoise(length / SAMPLE_RATE, NOISES[turn % NOISES.length]!);
  return Float32Array.from({ length }, (_, index) => {
    const at = Math.floor(index * speed);
    const share = index * speed - at;
    return gain * (samples[at]! * (1 - share) + samples[at + 1]! * share) + (noise[index] ?? 0);
  });
}

interface GrowingWav {
  seconds(): number;
  /** What goes beyond the most seconds is left out. */
  append(samples: Float32Array): Promise<void>;
  /** Writes the lengths into the header. */
  close(): Promise<void>;
}

async function openWav(path: string, maxSeconds: number): Promise<GrowingWav> {
  const file = await open(path, 'w');
  let count = 0;
  const emptyBytes = await file.write(wav([])).then(({ bytesWritten }) => bytesWritten);
  return {
    seconds: () => count / SAMPLE_RATE,
    async append(samples) {
      const kept = samples.subarray(0, Math.max(0, maxSeconds * SAMPLE_RATE - count));
      await file.write(wav(kept).subarray(emptyBytes));
      count += kept.length;
    },
    async close() {
      await writeLengths(file, { headerBytes: emptyBytes, dataBytes: count * 2 });
      await file.close();
    },
  };
}

/** The chunk of samples is the last one, and its length the last of the header. */
async function writeLengths(
  file: FileHandle,
  { headerBytes, dataBytes }: { readonly headerBytes: number; readonly dataBytes: number },
): Promise<void> {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(headerBytes - 8 + dataBytes);
  await file.write(length, 0, 4, 4);
  length.writeUInt32LE(dataBytes);
  await file.write(length, 0, 4, headerBytes - 4);
}
