/** Transcriptions as files of the output directory. */
import { mkdir, writeFile } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import type { Format } from './transcriber.ts';

const EXTENSIONS = { text: '.txt', srt: '.srt', vtt: '.vtt', json: '.json' } as const satisfies Record<
  Format,
  string
>;

/** `FILE.txt`, `.srt`, `.vtt` or `.json` in the directory. */
export function outputPath(
  file: string,
  { directory, format }: { readonly directory: string; readonly format: Format },
): string {
  return join(directory, basename(file, extname(file)) + EXTENSIONS[format]);
}

/** Makes its directory. */
export async function writeOutput(path: string, body: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, body);
}
