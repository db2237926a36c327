/**
 * The few parts of the protocol-buffer wire format that an ONNX model needs (https://protobuf.dev/programming-guides/encoding).
 * A message is the concatenation of its fields, so every function gives the bytes of one whole field.
 */

export type Bytes = Uint8Array;

/** Field of wire type 0: enums, bool and int64. Negative values take ten bytes, as the format wants. */
export function varintField(field: number, value: number | bigint): Bytes {
  return concatenate([varint(BigInt(field << 3)), varint(BigInt.asUintN(64, BigInt(value)))]);
}

/** Field of wire type 5: a 32-bit float. */
export function floatField(field: number, value: number): Bytes {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setFloat32(0, value, true);
  return concatenate([varint(BigInt((field << 3) | 5)), bytes]);
}

/** Field of wire type 2: a string, raw bytes or a nested message. */
export function bytesField(field: number, value: Bytes | string): Bytes {
  const bytes = typeof value === 'string' ? new TextEncoder().encode(value) : value;
  return concatenate([varint(BigInt((field << 3) | 2)), varint(BigInt(bytes.length)), bytes]);
}

export function message(fields: readonly Bytes[]): Bytes {
  return concatenate(fields);
}

function varint(value: bigint): Bytes {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 0x80n) {
    bytes.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return Uint8Array.from(bytes);
}

function concatenate(parts: readonly Bytes[]): Bytes {
  let length = 0;
  for (const part of parts) length += part.length;
  const joined = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}
