/** The symbols of a CTC model: one line `symbol id` each, id 0 the blank (wenet's symbol table). */
import { readFileSync } from 'node:fs';
import { AppError } from '../../base/errors.ts';

/** Stands for a space in sentencepiece's symbols. */
const SPACE = '▁';
/** A real one has a few thousand lines. */
const MAX_BYTES = 2 ** 24;

export interface Vocabulary {
  /** The text of some ids, blanks not among them, without the space around it. */
  text(ids: readonly number[]): string;
}

/** Reads the file; every id below `size` must have a symbol. Throws `unsupported_model`, naming the line. */
export function readVocabulary(path: string, size: number): Vocabulary {
  const symbols = parseSymbols(readText(path), { path, size });
  return {
    text: (ids) =>
      ids
        .map((id) => symbols[id])
        .join('')
        .replaceAll(SPACE, ' ')
        .trim(),
  };
}

function parseSymbols(
  text: string,
  { path, size }: { readonly path: string; readonly size: number },
): string[] {
  const symbols: string[] = [];
  const lines = text.split(/\r?\n/);
  if (lines.at(-1) === '') lines.pop();
  for (const [index, line] of lines.entries()) {
    const [symbol, id, ...more] = line.trim().split(/\s+/);
    const isLine = symbol !== undefined && /^\d+$/.test(id ?? '') && more.length === 0;
    if (!isLine || Number(id) >= size)
      throw refuse(
        `${path}:${index + 1}: expected SYMBOL ID with an id below ${size}, got ${JSON.stringify(line.slice(0, 80))}.`,
      );
    symbols[Number(id)] = symbol;
  }
  for (let id = 0; id < size; id += 1)
    if (symbols[id] === undefined) throw refuse(`${path} has no symbol for id ${id}; the model has ${size}.`);
  return symbols;
}

function readText(path: string): string {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (cause) {
    throw refuse(`${path} cannot be read; it holds the symbols of the model. Import the model again.`, cause);
  }
  if (bytes.length > MAX_BYTES) throw refuse(`${path} has ${bytes.length} bytes, more than any vocabulary.`);
  return bytes.toString('utf8');
}

function refuse(message: string, cause?: unknown): AppError {
  return new AppError('unsupported_model', message, { cause });
}
