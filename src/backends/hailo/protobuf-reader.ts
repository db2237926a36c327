/**
 * Reads the protocol-buffer wire format (https://protobuf.dev/programming-guides/encoding) of files that nobody vouches for: nothing is
 * copied, no length is believed that passes the message, and a message within a message is read only where the caller asks for it.
 */
import { AppError } from '../../base/errors.ts';

const VARINT = 0;
const FIXED_64 = 1;
const DELIMITED = 2;
const FIXED_32 = 5;

/** Goes through the fields of a message in its order, and makes no object for those that are passed over. */
export class FieldCursor {
  readonly #message: Uint8Array;
  /** Of what follows the current field. */
  #offset = 0;
  /** Where the current field's bytes begin; they end at `#offset`. */
  #start = 0;
  /** Of the current field. */
  number = 0;
  /** If the current field is a number, exact up to 2^53; else 0. */
  value = 0;

  constructor(message: Uint8Array) {
    this.#message = message;
  }

  /** Of a string, a nested message, a float or a double, in the memory of the message. */
  get bytes(): Uint8Array {
    return this.#message.subarray(this.#start, this.#offset);
  }

  /** False at the end. Throws `unsupported_model` where the message is damaged. */
  next(): boolean {
    if (this.#offset >= this.#message.length) return false;
    const tag = this.#varint();
    const type = tag % 8;
    this.number = (tag - type) / 8;
    this.value = 0;
    if (type === VARINT) {
      this.value = this.#varint();
      this.#start = this.#offset;
    } else {
      const sizeBytes = this.#sizeOf(type);
      if (sizeBytes > this.#message.length - this.#offset) throw damaged();
      this.#start = this.#offset;
      this.#offset += sizeBytes;
    }
    return true;
  }

  #sizeOf(type: number): number {
    if (type === DELIMITED) return this.#varint();
    if (type === FIXED_32) return 4;
    if (type === FIXED_64) return 8;
    throw damaged();
  }

  #varint(): number {
    let value = 0;
    let place = 1;
    for (let count = 0; count < 10; count += 1) {
      const byte = this.#message[this.#offset];
      if (byte === undefined) throw damaged();
      this.#offset += 1;
      value += (byte & 0x7f) * place;
      if (byte < 0x80) return value;
      place *= 128;
    }
    throw damaged();
  }
}

/** The number in the last field of this number, as the format wants it; 0 where there is none. */
export function numberOf(message: Uint8Array, number: number): number {
  const cursor = new FieldCursor(message);
  let found = 0;
  while (cursor.next()) if (cursor.number === number) found = cursor.value;
  return found;
}

/** The bytes of the last field of this number; empty where there is none. */
export function bytesOf(message: Uint8Array, number: number): Uint8Array {
  const cursor = new FieldCursor(message);
  let found = message.subarray(0, 0);
  while (cursor.next()) if (cursor.number === number) found = cursor.bytes;
  return found;
}

/** A 32-bit float; 0 where there is none. */
export function floatOf(message: Uint8Array, number: number): number {
  const bytes = bytesOf(message, number);
  if (bytes.length !== 4) return 0;
  return new DataView(bytes.buffer, bytes.byteOffset, 4).getFloat32(0, true);
}

/** The bytes of all fields of this number. Throws `unsupported_model` for more than `most`. */
export function allOf(message: Uint8Array, number: number, most: number): Uint8Array[] {
  const cursor = new FieldCursor(message);
  const found: Uint8Array[] = [];
  while (cursor.next()) {
    if (cursor.number !== number) continue;
    if (found.length === most)
      throw new AppError('unsupported_model', `Its description repeats a field more than ${most} times.`);
    found.push(cursor.bytes);
  }
  return found;
}

function damaged(): AppError {
  return new AppError('unsupported_model', 'Its description is damaged.');
}
