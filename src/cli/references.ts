/** What is really said in recordings: a text beside each, one in a directory, or a line of a TSV file. */
import { readFile, stat } from 'node:fs/promises';
import { basename, dirname, extname, join, resolve } from 'node:path';
import { AppError } from '../base/errors.ts';

export interface ReferencedFile {
  readonly path: string;
  /** Undefined where none is known. */
  readonly reference: string | undefined;
}

/**
 * The files with what `source` says of them, a TSV file or a directory of texts; each must be there. Without files, those of the TSV.
 * Without a source, the text beside a file counts: `talk.txt` for `talk.wav`. Throws `not_found` or `usage`.
 */
export async function withReferences(
  files: readonly string[],
  source: string | undefined,
): Promise<ReferencedFile[]> {
  if (source === undefined)
    return Promise.all(files.map(async (path) => ({ path, reference: await textFor(path, dirname(path)) })));
  const found = await stat(source).catch(() => undefined);
  if (found === undefined) throw new AppError('not_found', `There is no file or directory ${source}.`);
  return found.isDirectory() ? fromDirectory(files, source) : fromTable(files, source);
}

/**
 * Lines of `path<TAB>reference`; empty ones count for nothing. The reference may be empty: a recording in which nothing is said.
 * Relative paths begin at `directory`. Throws `usage` with the line.
 */
export function parseReferences(
  text: string,
  { name, directory }: { readonly name: string; readonly directory: string },
): ReadonlyMap<string, string> {
  const references = new Map<string, string>();
  for (const [index, line] of text
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .entries()) {
    if (line.trim() === '') continue;
    const odd = (problem: string) =>
      new AppError('usage', `${name}:${index + 1}: expected PATH<TAB>REFERENCE, got ${problem}.`);
    const [path = '', reference, ...more] = line.split('\t');
    if (reference === undefined) throw odd('a line without a tab');
    if (more.length > 0) throw odd(`${more.length + 1} tabs`);
    if (path.trim() === '') throw odd('no path');
    const key = resolve(directory, path.trim());
    if (references.has(key)) throw odd(`${path.trim()} a second time`);
    references.set(key, reference.trim());
  }
  return references;
}

async function fromTable(files: readonly string[], source: string): Promise<ReferencedFile[]> {
  const text = await readFile(source, 'utf8');
  const references = parseReferences(text, { name: source, directory: dirname(source) });
  if (files.length === 0) {
    if (references.size === 0) throw new AppError('usage', `${source} has no line PATH<TAB>REFERENCE.`);
    return [...references].map(([path, reference]) => ({ path, reference }));
  }
  return files.map((path) => {
    const reference = references.get(resolve(path));
    if (reference !== undefined) return { path, reference };
    throw new AppError(
      'usage',
      `${source} has no reference for ${path}. Add a line ${path}<TAB>REFERENCE; a relative path begins at the directory of ${basename(source)}.`,
    );
  });
}

async function fromDirectory(files: readonly string[], source: string): Promise<ReferencedFile[]> {
  if (files.length === 0)
    throw new AppError('usage', `${source} is a directory of references: name the recordings as well.`);
  return Promise.all(
    files.map(async (path) => {
      const reference = await textFor(path, source);
      if (reference !== undefined) return { path, reference };
      throw new AppError(
        'usage',
        `${source} has no reference for ${path}: there is no ${textName(path)} in it.`,
      );
    }),
  );
}

async function textFor(path: string, directory: string): Promise<string | undefined> {
  try {
    return (await readFile(join(directory, textName(path)), 'utf8')).trim();
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new AppError('not_found', `Cannot read ${join(directory, textName(path))}.`, { cause });
  }
}

function textName(path: string): string {
  return `${basename(path, extname(path))}.txt`;
}
