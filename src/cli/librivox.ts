/** The recordings of the data set `librivox`. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Store } from '../store/store.ts';
import type { CliContext } from './context.ts';
import { PullProgressBars } from './pull.ts';

export interface Recording {
  readonly name: string;
  readonly path: string;
  /** What is said, as its publisher wrote it down. */
  readonly reference: string;
}

/** Downloads them if they are not there yet, telling so. */
export async function prepareLibrivox(
  store: Store,
  { context, isQuiet }: { readonly context: CliContext; readonly isQuiet: boolean },
): Promise<readonly Recording[]> {
  const bars = new PullProgressBars(context);
  try {
    const directory = await store.dataset('librivox', {
      signal: context.signal,
      onProgress: isQuiet ? undefined : (event) => bars.show(event),
    });
    return await readLibrivox(directory);
  } finally {
    bars.end();
  }
}

/** Five utterances of 3 to 7 s, 16 kHz mono, in the installed data set's directory. */
export async function readLibrivox(directory: string): Promise<readonly Recording[]> {
  const lines = (await readFile(join(directory, 'transcription'), 'utf8')).split('\n');
  return lines.flatMap((line) => {
    const [, reference, stem] = /^<s> (.*) <\/s> \((.*)\)$/.exec(line.trim()) ?? [];
    const name = `${stem}.wav`;
    return reference === undefined ? [] : [{ name, path: join(directory, name), reference }];
  });
}
