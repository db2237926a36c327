/**
 * The key-value metadata of a GGUF file, version 2 or 3 (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md), read without
 * loading the model. What is large is passed over: a tokenizer holds some hundred thousand strings.
 */
import { open } from 'node:fs/promises';
import { AppError } from '../base/errors.ts';
import { BlockCursor } from './block-cursor.ts';

/** A whole number of 64 bits that a double cannot hold is a bigint. */
export type GgufScalar = number | bigint | boolean;
export type GgufValue = GgufScalar | string | readonly GgufScalar[];

/** By key. Strings above 1 MiB, arrays of strings and of arrays, and arrays of more than 1024 numbers are left out. */
export type GgufMetadata = ReadonlyMap<string, GgufValue>;

const VERSIONS: readonly number[] = [2, 3];
/** The magic, the version (4 bytes each), and how many tensors and keys there are (8 bytes each). */
const HEADER_BYTES = 24;
/** The largest tokenizers of 2025 (260,000 tokens and their merges) take less than 20 MiB. */
const MAX_METADATA_BYTES = 64 * 2 ** 20;
/** Models have fewer than 100. */
const MAX_KEYS = 4096;
/** By the format. */
const MAX_KEY_BYTES = 65_535;
/** A chat template has some 10 kB; what is larger is a tokenizer in one piece. */
const MAX_KEPT_STRING_BYTES = 2 ** 20;
/** Lists with one number for each layer. */
const MAX_KEPT_ELEMENTS = 1024;
/** The format allows any; nobody writes more than one. */
const MAX_ARRAY_DEPTH = 4;

interface ScalarType {
  readonly sizeBytes: number;
  read(bytes: Buffer): GgufScalar;
}

const BOOL = 7;
const STRING = 8;
const ARRAY = 9;
/** By the number of the type. */
const SCALARS: Readonly<Record<number, ScalarType>> = {
  0: { sizeBytes: 1, read: (bytes) => bytes.readUInt8() },
  1: { sizeBytes: 1, read: (bytes) => bytes.readInt8() },
  2: { sizeBytes: 2, read: (bytes) => bytes.readUInt16LE() },
  3: { sizeBytes: 2, read: (bytes) => bytes.readInt16LE() },
  4: { sizeBytes: 4, read: (bytes) => bytes.readUInt32LE() },
  5: { sizeBytes: 4, read: (bytes) => bytes.readInt32LE() },
  6: { sizeBytes: 4, read: (bytes) => shortest(bytes.readFloatLE()) },
  [BOOL]: { sizeBytes: 1, read: (bytes) => bytes.readUInt8() === 1 },
  10: { sizeBytes: 8, read: (bytes) => exact(bytes.readBigUInt64LE()) },
  11: { sizeBytes: 8, read: (bytes) => exact(bytes.readBigInt64LE()) },
  12: { sizeBytes: 8, read: (bytes) => bytes.readDoubleLE() },
};

/** Of a model in parts, its first part has the metadata. Throws `unsupported_model` for a file that is cut or claims what cannot be. */
export async function readGgufMetadata(path: string): Promise<GgufMetadata> {
  const handle = await open(path, 'r');
  try {
    const { size } = await handle.stat();
    const pastEnd = (wanted: number) =>
      wanted > size
        ? broken(path, `it ends at byte ${size}, but its metadata goes on to byte ${wanted}`)
        : broken(path, `its metadata is larger than ${MAX_METADATA_BYTES} bytes`);
    const cursor = new BlockCursor(handle, Math.min(size, MAX_METADATA_BYTES), pastEnd);
    return await new MetadataReader(path, cursor).read();
  } finally {
    await handle.close();
  }
}

class MetadataReader {
  readonly #path: string;
  readonly #cursor: BlockCursor;

  constructor(path: string, cursor: BlockCursor) {
    this.#path = path;
    this.#cursor = cursor;
  }

  async read(): Promise<GgufMetadata> {
    const keys = await this.#header();
    const metadata = new Map<string, GgufValue>();
    const seen = new Set<string>();
    for (let index = 0; index < keys; index += 1) {
      const key = await this.#key(index);
      if (seen.has(key)) throw this.#broken(`it has the key ${shown(key)} twice`);
      seen.add(key);
      await this.#cursor.need(4);
      const value = await this.#value(key, this.#cursor.takeUint32());
      if (value !== undefined) metadata.set(key, value);
    }
    return metadata;
  }

  /** How many keys follow. */
  async #header(): Promise<number> {
    await this.#cursor.need(HEADER_BYTES);
    if (this.#cursor.take(4).toString('latin1') !== 'GGUF') throw this.#broken('it does not begin with GGUF');
    const version = this.#cursor.takeUint32();
    if (version !== 0 && (version & 0xffff) === 0)
      throw this.#broken('it is written for big-endian machines');
    if (!VERSIONS.includes(version)) throw this.#broken(`its version is ${version}, and 2 and 3 are known`);
    this.#cursor.takeLength();
    const keys = this.#cursor.takeLength();
    if (keys > MAX_KEYS) throw this.#broken(`it claims ${keys} keys, and ${MAX_KEYS} are the most`);
    return keys;
  }

  async #key(index: number): Promise<string> {
    await this.#cursor.need(8);
    const sizeBytes = this.#cursor.takeLength();
    if (sizeBytes > MAX_KEY_BYTES)
      throw this.#broken(`its key number ${index + 1} claims ${sizeBytes} bytes`);
    await this.#cursor.need(sizeBytes);
    return this.#cursor.take(sizeBytes).toString('utf8');
  }

  async #value(key: string, type: number): Promise<GgufValue | undefined> {
    if (type === STRING) return this.#string();
    if (type === ARRAY) return this.#array(key, 1);
    const scalar = SCALARS[type];
    if (!scalar) throw this.#broken(`${shown(key)} is of type ${type}, which is none`);
    await this.#cursor.need(scalar.sizeBytes);
    const bytes = this.#cursor.take(scalar.sizeBytes);
    if (type === BOOL && bytes.readUInt8() > 1) throw this.#broken(`${shown(key)} is neither true nor false`);
    return scalar.read(bytes);
  }

  async #string(): Promise<string | undefined> {
    await this.#cursor.need(8);
    const sizeBytes = this.#cursor.takeLength();
    if (sizeBytes > MAX_KEPT_STRING_BYTES) {
      this.#cursor.skip(sizeBytes);
      return undefined;
    }
    await this.#cursor.need(sizeBytes);
    return this.#cursor.take(sizeBytes).toString('utf8');
  }

  /** The numbers of a short one; undefined for any other, which is passed over. */
  async #array(key: string, depth: number): Promise<readonly GgufScalar[] | undefined> {
    if (depth > MAX_ARRAY_DEPTH)
      throw this.#broken(`${shown(key)} nests arrays more than ${MAX_ARRAY_DEPTH} deep`);
    await this.#cursor.need(12);
    const type = this.#cursor.takeUint32();
    const length = this.#cursor.takeLength();
    const scalar = SCALARS[type];
    if (scalar && depth === 1 && length <= MAX_KEPT_ELEMENTS) return this.#numbers(scalar, length);
    if (scalar) this.#cursor.skip(length * scalar.sizeBytes);
    else if (type === STRING) await this.#skipStrings(length);
    else if (type === ARRAY) for (let left = length; left > 0; left -= 1) await this.#array(key, depth + 1);
    else throw this.#broken(`${shown(key)} has elements of type ${type}, which is none`);
    return undefined;
  }

  async #numbers(scalar: ScalarType, length: number): Promise<readonly GgufScalar[]> {
    await this.#cursor.need(length * scalar.sizeBytes);
    return Array.from({ length }, () => scalar.read(this.#cursor.take(scalar.sizeBytes)));
  }

  /** Waits only where a block ends: each of so many waits would cost more than the reading. */
  async #skipStrings(count: number): Promise<void> {
    for (let left = count; left > 0; left -= 1) {
      if (!this.#cursor.holds(8)) await this.#cursor.need(8);
      this.#cursor.skip(this.#cursor.takeLength());
    }
  }

  #broken(problem: string): AppError {
    return broken(this.#path, problem);
  }
}

/** Of the decimals that are this float32, the shortest: a temperature of 0.6 was meant, not 0.6000000238418579. */
function shortest(value: number): number {
  for (const digits of [6, 7, 8]) {
    const candidate = Number(value.toPrecision(digits));
    if (Math.fround(candidate) === value) return candidate;
  }
  return value;
}

function exact(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

function shown(key: string): string {
  return JSON.stringify(key.slice(0, 80));
}

function broken(path: string, problem: string): AppError {
  return new AppError(
    'unsupported_model',
    `${path} is not a GGUF file that can be read: ${problem}. If it was downloaded, download it again.`,
  );
}
