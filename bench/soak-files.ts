/** Recordings of many lengths, and an endless random order of them that is the same at every run. */
import { join } from 'node:path';
import type { Recording } from './measure.ts';
import { writeLong } from './recordings.ts';

export interface SoakFile {
  readonly path: string;
  readonly seconds: number;
}

/** From 2 s to 2 min, twice as many short ones as long ones. */
const LENGTHS_SECONDS = [2, 2.5, 3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 25, 30, 40, 50, 60, 75, 90, 120];
/** Far enough apart that no two files begin alike. */
const TURNS_BETWEEN = 37;

export async function writeSoakFiles(short: readonly Recording[], folder: string): Promise<SoakFile[]> {
  const files: SoakFile[] = [];
  for (const [index, seconds] of LENGTHS_SECONDS.entries()) {
    const path = join(folder, `${index}-${seconds}s.wav`);
    await writeLong(short, { path, seconds, firstTurn: index * TURNS_BETWEEN, isCut: true });
    files.push({ path, seconds });
  }
  return files;
}

/** All in a random order, then all in another: whoever takes for long enough has taken each equally often. */
export function* shuffledForEver<T>(items: readonly T[], random: () => number): Generator<T, never> {
  for (;;) {
    const left = [...items];
    while (left.length > 0) yield left.splice(Math.floor(random() * left.length), 1)[0]!;
  }
}
