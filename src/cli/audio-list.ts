/** A list of recordings: a TSV file with a header, as ChunkFormer's own command reads it. */
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { AppError } from '../base/errors.ts';
import type { ReferencedFile } from './references.ts';

/** Throws `not_found`, and `usage` with the line. */
export async function readAudioList(path: string): Promise<readonly ReferencedFile[]> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new AppError('not_found', `Cannot read the list ${path}.`, { cause });
  });
  return parseAudioList(text, { name: path, directory: dirname(path) });
}

/**
 * The first line names the columns, of which `wav` is the path and `txt`, if it is there, what is really said; others count for nothing. Empty lines
 * are passed over. Relative paths begin at `directory`. Throws `usage` with the line.
 */
export function parseAudioList(
  text: string,
  { name, directory }: { readonly name: string; readonly directory: string },
): readonly ReferencedFile[] {
  const [header = '', ...lines] = text.replace(/^\uFEFF/, '').split(/\r?\n/);
  const columns = fieldsOf(header);
  const [pathAt, textAt] = [columns.indexOf('wav'), columns.indexOf('txt')];
  if (pathAt < 0)
    throw new AppError(
      'usage',
      `${name}:1: expected a header with a column "wav" and perhaps "txt", parted by tabs; got ${JSON.stringify(header.slice(0, 80))}.`,
    );
  const files: ReferencedFile[] = [];
  for (const [index, line] of lines.entries()) {
    if (line.trim() === '') continue;
    const fields = fieldsOf(line);
    const path = fields[pathAt];
    if (fields.length !== columns.length || path === undefined || path === '')
      throw new AppError(
        'usage',
        `${name}:${index + 2}: expected ${columns.length} columns with a path, got ${fields.length}${path === '' ? ' without one' : ''}.`,
      );
    files.push({ path: resolve(directory, path), reference: textAt < 0 ? undefined : fields[textAt] });
  }
  if (files.length === 0) throw new AppError('usage', `${name} lists no recording.`);
  return files;
}

/** A field may stand in quotes, in which quotes are doubled. */
function fieldsOf(line: string): string[] {
  return line.split('\t').map((field) => {
    const trimmed = field.trim();
    return /^".*"$/.test(trimmed) ? trimmed.slice(1, -1).replaceAll('""', '"').trim() : trimmed;
  });
}
