/** Writes small GGUF files, as llama.cpp's converter writes large ones. */

/** A value with the number of its type in the format. */
export interface GgufField {
  readonly type: number;
  readonly bytes: Buffer;
}

export const u8 = (value: number): GgufField => ({ type: 0, bytes: Buffer.of(value) });
export const u32 = (value: number): GgufField => ({ type: 4, bytes: uint32(value) });
export const i32 = (value: number): GgufField => ({
  type: 5,
  bytes: Buffer.from(Int32Array.of(value).buffer),
});
export const f32 = (value: number): GgufField => ({
  type: 6,
  bytes: Buffer.from(Float32Array.of(value).buffer),
});
export const bool = (value: boolean): GgufField => ({ type: 7, bytes: Buffer.of(value ? 1 : 0) });
export const text = (value: string): GgufField => ({ type: 8, bytes: string(Buffer.from(value)) });
export const u64 = (value: bigint): GgufField => ({ type: 10, bytes: uint64(value) });
export const f64 = (value: number): GgufField => ({
  type: 12,
  bytes: Buffer.from(Float64Array.of(value).buffer),
});

/** Of fields of one type; `type` is that of an empty one. */
export function array(fields: readonly GgufField[], type = 4): GgufField {
  const length = uint64(BigInt(fields.length));
  return {
    type: 9,
    bytes: Buffer.concat([uint32(fields[0]?.type ?? type), length, ...fields.map(({ bytes }) => bytes)]),
  };
}

export interface GgufHeader {
  readonly version?: number;
  readonly tensors?: bigint;
  /** What the header claims; those that there are unless given. */
  readonly keys?: bigint;
}

/** Metadata alone: no tensor follows, although the header counts one. */
export function ggufFile(
  fields: readonly (readonly [key: string, field: GgufField])[],
  { version = 3, tensors = 1n, keys = BigInt(fields.length) }: GgufHeader = {},
): Buffer {
  const pairs = fields.flatMap(([key, { type, bytes }]) => [string(Buffer.from(key)), uint32(type), bytes]);
  return Buffer.concat([Buffer.from('GGUF'), uint32(version), uint64(tensors), uint64(keys), ...pairs]);
}

/** What a small model says of itself. */
export function modelFields(
  sampling: Readonly<Record<string, GgufField>> = {},
): (readonly [string, GgufField])[] {
  return [
    ['general.architecture', text('llama')],
    ['general.name', text('Tiny')],
    ['general.file_type', u32(15)],
    ['llama.context_length', u32(8192)],
    ...Object.entries(sampling).map(([name, field]) => [`general.sampling.${name}`, field] as const),
    ['tokenizer.ggml.tokens', array(['a', 'b', 'c'].map(text))],
    ['tokenizer.chat_template', text('{{ messages }}')],
  ];
}

function string(bytes: Buffer): Buffer {
  return Buffer.concat([uint64(BigInt(bytes.length)), bytes]);
}

function uint32(value: number): Buffer {
  return Buffer.from(Uint32Array.of(value).buffer);
}

function uint64(value: bigint): Buffer {
  return Buffer.from(BigUint64Array.of(value).buffer);
}
