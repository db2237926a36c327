/**
 * NumPy's .npy files (numpy/lib/format.py): a magic word, a version, a Python dictionary as text, then the numbers. Little-endian
 * float32 in rows only, which is what host tables of compiled models are.
 */
import { writeFile } from 'node:fs/promises';
import { AppError } from '../base/errors.ts';
import { PositionedFile } from './weight-file.ts';

export interface NpyTable {
  /** Row-major lengths. */
  readonly dims: readonly number[];
  /** One row along the last dimension, counted through all others. */
  row(index: number): Float32Array;
  close(): void;
}

const MAGIC = '\x93NUMPY';
/** The longest that NumPy itself reads without being told to. */
const MAX_HEADER_BYTES = 10_000;

/** Opens a table of two dimensions or more. Throws `unsupported_model` for what is no such file. */
export function openNpy(path: string): NpyTable {
  const file = new PositionedFile(path);
  try {
    const { dims, offset } = readHeader(file);
    const width = dims.at(-1)!;
    const sizeBytes = dims.reduce((product, length) => product * length, 4);
    if (offset + sizeBytes !== file.sizeBytes)
      throw wrong(
        path,
        `its shape (${dims.join(', ')}) asks for ${offset + sizeBytes} bytes, it has ${file.sizeBytes}`,
      );
    return {
      dims,
      row(index) {
        const bytes = file.read(offset + index * width * 4, width * 4);
        return new Float32Array(bytes.buffer, bytes.byteOffset, width);
      },
      close: () => file.close(),
    };
  } catch (error) {
    file.close();
    throw error;
  }
}

/** A table as NumPy writes it: the header is filled up with spaces to a multiple of 64 bytes. */
export async function writeNpy(path: string, data: Float32Array, dims: readonly number[]): Promise<void> {
  const text = `{'descr': '<f4', 'fortran_order': False, 'shape': (${dims.join(', ')}), }`;
  const length = Math.ceil((10 + text.length + 1) / 64) * 64 - 10;
  const head = Buffer.alloc(10);
  head.write(`${MAGIC}\x01\x00`, 'latin1');
  head.writeUInt16LE(length, 8);
  const rows = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  await writeFile(path, [head, Buffer.from(`${text.padEnd(length - 1)}\n`), rows]);
}

function readHeader(file: PositionedFile): { dims: number[]; offset: number } {
  const { path } = file;
  const head = file.sizeBytes >= 12 ? file.read(0, 12) : Buffer.alloc(12);
  if (head.toString('latin1', 0, 6) !== MAGIC) throw wrong(path, 'it does not begin as one');
  const isShort = head[6] === 1;
  const start = isShort ? 10 : 12;
  const length = isShort ? head.readUInt16LE(8) : head.readUInt32LE(8);
  if (length > MAX_HEADER_BYTES) throw wrong(path, `its header would have ${length} bytes`);
  const header = file.read(start, length).toString('latin1');
  const type = /'descr':\s*'([^']*)'/.exec(header)?.[1];
  if (type !== '<f4') throw wrong(path, `it holds ${type ?? 'records'}, expected <f4 (float32)`);
  if (!/'fortran_order':\s*False/.test(header)) throw wrong(path, 'it is stored by columns');
  const dims =
    /'shape':\s*\(([\d\s,]*)\)/
      .exec(header)?.[1]
      ?.split(',')
      .filter((part) => part.trim() !== '')
      .map(Number) ?? [];
  if (dims.length < 2) throw wrong(path, `it has ${dims.length} dimensions, expected rows of a table`);
  return { dims, offset: start + length };
}

function wrong(path: string, what: string): AppError {
  return new AppError(
    'unsupported_model',
    `${path} is not a table in NumPy's .npy format: ${what}. Download it again.`,
  );
}
