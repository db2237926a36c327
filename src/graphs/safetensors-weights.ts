/**
 * Reads safetensors (https://github.com/huggingface/safetensors#format): u64 header length, a JSON header of
 * { name: { dtype, shape, data_offsets } }, then the bytes. A directory may split a checkpoint into shards that
 * `model.safetensors.index.json` lists.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '../base/errors.ts';
import { bfloat16ToFloat32, halfToFloat32 } from './half.ts';
import { missingTensor, PositionedFile, type TensorEntry, type Weights } from './weight-file.ts';

/** The format's own limit on its header. */
const MAX_HEADER_BYTES = 100_000_000;

interface SafetensorsEntry extends TensorEntry {
  readonly type: string;
  readonly file: PositionedFile;
}

/** Opens `<stem>.safetensors`, or the shards of its index, in `directory`. Throws `unsupported_model`. */
export function openSafetensorsWeights(directory: string, stem = 'model'): Weights {
  const files = shardPaths(directory, stem).map((path) => new PositionedFile(path));
  const entries = new Map<string, SafetensorsEntry>();
  try {
    for (const file of files) for (const [name, entry] of readHeader(file)) entries.set(name, entry);
  } catch (error) {
    for (const file of files) file.close();
    throw error;
  }
  const find = (name: string) => {
    const entry = entries.get(name);
    if (entry === undefined) throw missingTensor(directory, name);
    return entry;
  };
  return {
    has: (name) => entries.has(name),
    dims: (name) => find(name).dims,
    read: (name) => toFloat32(find(name), name),
    close: () => {
      for (const file of files) file.close();
    },
  };
}

function shardPaths(directory: string, stem: string): string[] {
  const index = join(directory, `${stem}.safetensors.index.json`);
  if (!existsSync(index)) return [join(directory, `${stem}.safetensors`)];
  const parsed = JSON.parse(readFileSync(index, 'utf8')) as { weight_map?: Record<string, string> };
  const names = new Set(Object.values(parsed.weight_map ?? {}));
  for (const name of names) {
    if (!/^[\w.-]+\.safetensors$/.test(name))
      throw new AppError('unsupported_model', `${index} names a file "${name}".`);
  }
  return [...names].map((name) => join(directory, name));
}

function* readHeader(file: PositionedFile): Generator<[string, SafetensorsEntry]> {
  const length = Number(file.read(0, 8).readBigUInt64LE(0));
  if (length > MAX_HEADER_BYTES) {
    throw new AppError(
      'unsupported_model',
      `${file.path} is not a safetensors file: its header claims ${length} bytes.`,
    );
  }
  const header = parseHeader(file, length);
  for (const [name, value] of Object.entries(header)) {
    if (name === '__metadata__') continue;
    const {
      dtype,
      shape,
      data_offsets: range,
    } = value as { dtype: string; shape: number[]; data_offsets: [number, number] };
    if (typeof dtype !== 'string' || !Array.isArray(shape) || !Array.isArray(range)) {
      throw new AppError('unsupported_model', `${file.path}: tensor "${name}" has a broken header.`);
    }
    yield [
      name,
      { dims: shape, type: dtype, offset: 8 + length + range[0], sizeBytes: range[1] - range[0], file },
    ];
  }
}

function parseHeader(file: PositionedFile, length: number): Record<string, unknown> {
  try {
    return JSON.parse(file.read(8, length).toString('utf8')) as Record<string, unknown>;
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    throw new AppError(
      'unsupported_model',
      `${file.path} is not a safetensors file: its header is not JSON.`,
      { cause },
    );
  }
}

function toFloat32(entry: SafetensorsEntry, name: string): Float32Array {
  const bytes = entry.file.read(entry.offset, entry.sizeBytes);
  switch (entry.type) {
    case 'F32':
      return new Float32Array(bytes.buffer);
    case 'F16':
      return halfToFloat32(new Uint16Array(bytes.buffer));
    case 'BF16':
      return bfloat16ToFloat32(new Uint16Array(bytes.buffer));
    default:
      throw new AppError(
        'unsupported_model',
        `Tensor "${name}" of ${entry.file.path} is stored as ${entry.type}; F32, F16 and BF16 can be read.`,
      );
  }
}
