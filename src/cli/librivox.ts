/** The recordings of the data set `librivox`. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface Recording {
  readonly name: string;
  readonly path: string;
  /** What is said, as its publisher wrote it down. */
  readonly reference: string;
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
