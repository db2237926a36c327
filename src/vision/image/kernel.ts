/**
 * The two inner loops of a resize in WebAssembly with vectors, several times as fast as the same in JavaScript (docs/benchmarks.md). The
 * module is written out here, instruction by instruction: it needs no compiler, and nothing but this file says what runs.
 */
import assert from 'node:assert/strict';

export interface Kernel {
  /** The memory that addresses are in, at least so large; what it holds is undefined at first. */
  reserve(sizeBytes: number): Uint8Array<ArrayBuffer>;
  /**
   * Makes a row of RGB pixels at `target` from the one at `source`, one for each record of the table: 16 bytes, of which the first four
   * are where its pixels begin behind `source`, and 16 more for each four pixels that count, as `packWeights` has them. What a weight of
   * zero belongs to may be any bytes of the memory. Reads 4 bytes behind the last of the pixels and writes one behind the row.
   */
  narrow(source: number, target: number, table: NarrowTable): void;
  /** Adds `weight` times each of `bytes`, in steps of 16, to the int32 at `sums`. */
  mix(bytes: { readonly from: number; readonly end: number }, sums: number, weight: number): void;
}

export interface NarrowTable {
  readonly from: number;
  readonly end: number;
  readonly recordBytes: number;
}

/** Bits of a weight's low part: with a sign bit of zero it fills an int16, and what is above fits into another. */
const LOW_BITS = 15;

/** Four weights as `narrow` multiplies them: of each pair the high parts, then the low parts, all int16. */
export function packWeights(weights: Int32Array, packed: Int16Array): void {
  for (let pair = 0; pair < 2; pair += 1) {
    for (let one = 0; one < 2; one += 1) {
      const weight = weights[pair * 2 + one]!;
      packed[pair * 4 + one] = weight >> LOW_BITS;
      packed[pair * 4 + 2 + one] = weight & (2 ** LOW_BITS - 1);
    }
  }
}

/** `precisionBits` is how many of a weight's bits stand behind the point; sums are rounded to whole numbers from 0 to 255. */
export function openKernel(precisionBits: number): Kernel {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(assemble(precisionBits)));
  const { memory, narrow, mix } = exports as unknown as Exports;
  return {
    reserve(sizeBytes) {
      const missing = sizeBytes - memory.buffer.byteLength;
      if (missing > 0) memory.grow(Math.ceil(missing / PAGE_BYTES));
      return new Uint8Array(memory.buffer);
    },
    narrow(source, target, { from, end, recordBytes }) {
      narrow(source, target, from, end, recordBytes);
    },
    mix({ from, end }, sums, weight) {
      mix(from, end, sums, weight);
    },
  };
}

const PAGE_BYTES = 65_536;

interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): number };
  narrow(source: number, target: number, table: number, end: number, recordBytes: number): void;
  mix(from: number, end: number, sums: number, weight: number): void;
}

/** As much of the global as is used here; the types of Node leave it to those of browsers. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: object };
};

/** Bytes, in whatever grouping reads best. */
type Code = readonly (number | Code)[];

const I32 = 0x7f;
const V128 = 0x7b;
const NOTHING = 0x40;
const END = 0x0b;
/** Unsigned, as addresses are. */
const LESS = 0x49;
const REPEAT: Code = [0x0d, 0];
const LOAD_32: Code = [0x28, 2, 0];
const ADD_32 = 0x6a;

const get = (local: number): Code => [0x20, local];
const set = (local: number): Code => [0x21, local];
const constant = (value: number): Code => [0x41, signed(value)];
const add = (local: number, value: Code): Code => [get(local), value, ADD_32, set(local)];
const simd = (operation: number, ...immediate: Code): Code => [0xfd, unsigned(operation), immediate];
/** From a local's address on. */
const at = (local: number, operation: number, offset = 0): Code => [
  get(local),
  simd(operation, 0, unsigned(offset)),
];
/** As long as one address lies before another; at least once. */
const loop = (body: Code, [address, end]: readonly [number, number]): Code => [
  [0x03, NOTHING, body],
  [get(address), get(end), LESS, REPEAT, END],
];

const LOAD = 0x00;
const LOAD_SPLAT_32 = 0x09;
const STORE = 0x0b;
const CONST = 0x0c;
const SWIZZLE = 0x0e;
const SPLAT = 0x11;
const STORE_LANE_32 = 0x5a;
const NARROW_TO_BYTES = simd(0x66);
const NARROW_TO_16 = simd(0x85);
const EXTEND_TO_16 = [simd(0x89), simd(0x8a)];
const EXTEND_TO_32 = [simd(0xa9), simd(0xaa)];
const SHIFT_LEFT = simd(0xab);
const SHIFT_RIGHT = simd(0xac);
const ADD = simd(0xae);
const MULTIPLY = simd(0xb5);
const DOT = simd(0xba);

function assemble(precisionBits: number): Uint8Array {
  const types = [
    [0x60, vector([I32, I32, I32, I32, I32]), vector([])],
    [0x60, vector([I32, I32, I32, I32]), vector([])],
  ];
  const exports = [
    [name('memory'), 2, 0],
    [name('narrow'), 0, 0],
    [name('mix'), 0, 1],
  ];
  const functions = [narrowFunction(precisionBits), mixFunction()];
  const module: Code = [
    [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    section(1, vector(types)),
    section(3, vector([0, 1])),
    section(5, vector([[0, 1]])),
    section(7, vector(exports)),
    section(10, vector(functions)),
  ];
  return Uint8Array.from(flat(module));
}

function narrowFunction(precisionBits: number): Code {
  const [source, target, table, end, recordBytes] = [0, 1, 2, 3, 4] as const;
  const [pixels, recordEnd, high, low, four, pair] = [5, 6, 7, 8, 9, 10] as const;
  /** Of two pixels next to one another: red, red, green, green, blue, blue as int16; 128 and above is zero. */
  const pairOf = (first: number): Code => {
    const mask = [0, 3, 1, 4, 2, 5].flatMap((byte) => [first * 3 + byte, 0x80]);
    return [get(four), simd(CONST, ...mask, 0x80, 0x80, 0x80, 0x80), simd(SWIZZLE), set(pair)];
  };
  const accumulate = (sum: number, offset: number): Code => [
    [get(sum), get(pair), at(table, LOAD_SPLAT_32, offset), DOT, ADD, set(sum)],
  ];
  const fourPixels: Code = [
    [at(pixels, LOAD), set(four)],
    [pairOf(0), accumulate(high, 0), accumulate(low, 4)],
    [pairOf(2), accumulate(high, 8), accumulate(low, 12)],
    [add(pixels, constant(12)), add(table, constant(16))],
  ];
  const sum: Code = [[get(high), constant(LOW_BITS), SHIFT_LEFT], get(low), ADD];
  const rounded: Code = [sum, constant(precisionBits), SHIFT_RIGHT];
  const record: Code = [
    [get(source), get(table), LOAD_32, ADD_32, set(pixels)],
    [get(table), get(recordBytes), ADD_32, set(recordEnd)],
    [simd(CONST, ...Array(16).fill(0)), set(high)],
    [constant(2 ** (precisionBits - 1)), simd(SPLAT), set(low)],
    add(table, constant(16)),
    loop(fourPixels, [table, recordEnd]),
    [get(target), rounded, get(low), NARROW_TO_16, get(low), NARROW_TO_BYTES, simd(STORE_LANE_32, 0, 0, 0)],
    add(target, constant(3)),
  ];
  const locals = vector([
    [recordEnd - recordBytes, I32],
    [pair - recordEnd, V128],
  ]);
  return sized([locals, loop(record, [table, end]), END]);
}

function mixFunction(): Code {
  const [from, end, sums, weight, factors, bytes] = [0, 1, 2, 3, 4, 5] as const;
  const quarter = (index: number): Code => [
    get(sums),
    [get(bytes), EXTEND_TO_16[index >> 1]!, EXTEND_TO_32[index & 1]!, get(factors), MULTIPLY],
    [at(sums, LOAD, index * 16), ADD],
    simd(STORE, 0, unsigned(index * 16)),
  ];
  const sixteen: Code = [
    [at(from, LOAD), set(bytes)],
    [0, 1, 2, 3].map(quarter),
    [add(from, constant(16)), add(sums, constant(64))],
  ];
  const splat: Code = [get(weight), simd(SPLAT), set(factors)];
  return sized([vector([[bytes - weight, V128]]), splat, loop(sixteen, [from, end]), END]);
}

function section(id: number, content: Code): Code {
  return [id, sized(content)];
}

function name(text: string): Code {
  return vector([...Buffer.from(text)]);
}

function vector(items: Code): Code {
  return [unsigned(items.length), items];
}

function sized(content: Code): Code {
  return [unsigned(flat(content).length), content];
}

function flat(code: Code): number[] {
  return code.flatMap((item) => (typeof item === 'number' ? [item] : flat(item)));
}

/** LEB128. */
function unsigned(value: number): Code {
  assert.ok(value >= 0);
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, unsigned(value >>> 7)];
}

function signed(value: number): Code {
  const isLast = value >= -0x40 && value < 0x40;
  return isLast ? [value & 0x7f] : [(value & 0x7f) | 0x80, signed(value >> 7)];
}
