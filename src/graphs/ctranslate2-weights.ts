/**
 * Reads CTranslate2's `model.bin`, versions 5 and 6 (python/ctranslate2/specs/model_spec.py, `_serialize`), little endian:
 *
 *     u32 version, str specification, u32 revision, u32 count,
 *     count × { str name, u8 rank, u32 dims[rank], u8 type, u32 sizeBytes, bytes },
 *     u32 aliases, aliases × { str alias, str name }
 *
 * where `str` is a u16 length that counts its closing NUL. Int8 tensors carry `<name>_scale`, one factor per row.
 */
import { AppError } from '../base/errors.ts';
import { bfloat16ToFloat32, halfToFloat32 } from './half.ts';
import { missingTensor, PositionedFile, type TensorEntry, type Weights } from './weight-file.ts';

const TYPES = ['float32', 'int8', 'int16', 'int32', 'float16', 'bfloat16'] as const;
type Type = (typeof TYPES)[number];
const READABLE_VERSIONS = [5, 6];
/** Longest name, deepest tensor and most tensors that a header may claim; real ones stay far below. */
const MAX_RANK = 8;
const MAX_TENSORS = 100_000;

interface Ct2Entry extends TensorEntry {
  readonly type: Type;
}

/** Opens the file and reads its directory. Throws `unsupported_model` when it is not a model of `specification`. */
export function openCtranslate2Weights(path: string, specification: string): Weights {
  const file = new PositionedFile(path);
  try {
    const entries = readDirectory(file, specification);
    return weightsOf(file, entries);
  } catch (error) {
    file.close();
    throw error;
  }
}

function weightsOf(file: PositionedFile, entries: ReadonlyMap<string, Ct2Entry>): Weights {
  const find = (name: string) => {
    const entry = entries.get(name);
    if (entry === undefined) throw missingTensor(file.path, name);
    return entry;
  };
  return {
    has: (name) => entries.has(name),
    dims: (name) => find(name).dims,
    read: (name) => {
      const entry = find(name);
      const bytes = file.read(entry.offset, entry.sizeBytes);
      if (entry.type !== 'int8') return toFloat32(bytes, entry.type, name);
      return dequantise(bytes, entry, toFloat32(...scaleOf(file, find(`${name}_scale`)), name));
    },
    close: () => file.close(),
  };
}

function scaleOf(file: PositionedFile, entry: Ct2Entry): [Buffer, Type] {
  return [file.read(entry.offset, entry.sizeBytes), entry.type];
}

/** CTranslate2 stores int8 rows as round(w × scale). */
function dequantise(bytes: Buffer, entry: Ct2Entry, scales: Float32Array): Float32Array {
  const columns = bytes.length / entry.dims[0]!;
  const values = new Float32Array(bytes.length);
  for (let index = 0; index < bytes.length; index += 1) {
    values[index] = bytes.readInt8(index) / scales[Math.floor(index / columns)]!;
  }
  return values;
}

function toFloat32(bytes: Buffer, type: Type, name: string): Float32Array {
  switch (type) {
    case 'float32':
      return new Float32Array(bytes.buffer);
    case 'float16':
      return halfToFloat32(new Uint16Array(bytes.buffer));
    case 'bfloat16':
      return bfloat16ToFloat32(new Uint16Array(bytes.buffer));
    case 'int8':
      return Float32Array.from(new Int8Array(bytes.buffer));
    case 'int16':
      return Float32Array.from(new Int16Array(bytes.buffer));
    case 'int32':
      return Float32Array.from(new Int32Array(bytes.buffer));
    default:
      throw new Error(`Tensor ${name} has an unknown type ${type satisfies never}.`);
  }
}

function readDirectory(file: PositionedFile, specification: string): Map<string, Ct2Entry> {
  const cursor = new Cursor(file);
  const version = cursor.uint32();
  const found = READABLE_VERSIONS.includes(version) ? cursor.string() : undefined;
  if (found !== specification) {
    throw new AppError(
      'unsupported_model',
      `${file.path} is not a CTranslate2 ${specification} model of version ${READABLE_VERSIONS.join(' or ')} (version ${version}, specification ${found ?? 'unread'}).`,
    );
  }
  cursor.uint32();
  const count = cursor.uint32();
  if (count > MAX_TENSORS) throw new AppError('unsupported_model', `${file.path} claims ${count} tensors.`);
  const entries = new Map<string, Ct2Entry>();
  for (let index = 0; index < count; index += 1) {
    const name = cursor.string();
    const rank = cursor.uint8();
    if (rank > MAX_RANK)
      throw new AppError('unsupported_model', `${file.path}: tensor ${name} claims ${rank} dimensions.`);
    const dims = Array.from({ length: rank }, () => cursor.uint32());
    const code = cursor.uint8();
    const type = TYPES[code];
    if (type === undefined)
      throw new AppError('unsupported_model', `${file.path}: tensor ${name} has type ${code}.`);
    const sizeBytes = cursor.uint32();
    entries.set(name, { dims, type, offset: cursor.offset, sizeBytes });
    cursor.skip(sizeBytes);
  }
  const aliases = cursor.uint32();
  for (let index = 0; index < Math.min(aliases, MAX_TENSORS); index += 1) {
    const alias = cursor.string();
    const target = entries.get(cursor.string());
    if (target !== undefined) entries.set(alias, target);
  }
  return entries;
}

class Cursor {
  offset = 0;
  readonly #file: PositionedFile;

  constructor(file: PositionedFile) {
    this.#file = file;
  }

  skip(sizeBytes: number): void {
    this.offset += sizeBytes;
  }

  uint8(): number {
    return this.#take(1).readUInt8(0);
  }

  uint32(): number {
    return this.#take(4).readUInt32LE(0);
  }

  string(): string {
    const length = this.#take(2).readUInt16LE(0);
    return this.#take(length).toString('utf8', 0, Math.max(0, length - 1));
  }

  #take(sizeBytes: number): Buffer {
    const bytes = this.#file.read(this.offset, sizeBytes);
    this.offset += sizeBytes;
    return bytes;
  }
}
