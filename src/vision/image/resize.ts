/**
 * Pillow's resize and a crop of its middle, equal to the last bit: one pass along the rows, rounded to 8 bits, then one along the columns.
 * Each row of the picture is made narrow and at once added to all rows of the output that it counts for, so that nothing grows with
 * the picture's height.
 */
import { type Coefficients, coefficientsOf, PRECISION_BITS } from './coefficients.ts';
import { geometryOf } from './geometry.ts';
import { type Kernel, type NarrowTable, openKernel, packWeights } from './kernel.ts';
import type { Picture } from './picture.ts';
import type { Preprocessing } from './preprocessing.ts';

export interface Resizer {
  /** What the model sees of the picture, RGB [crop.height × crop.width × 3]. Only what lies within the crop is computed. */
  resizeAndCrop(picture: Picture): Uint8Array<ArrayBuffer>;
}

/** Its memory grows to a few megabytes, by the longest edge of a picture, and is kept. */
export function createResizer(preprocessing: Preprocessing): Resizer {
  const kernel = openKernel(PRECISION_BITS);
  return {
    resizeAndCrop(picture) {
      const { crop, resample } = preprocessing;
      const { horizontal, vertical } = geometryOf(picture, preprocessing);
      const output = new Uint8Array(crop.width * crop.height * CHANNELS);
      const rowOfOutput = (row: number) => {
        const start = ((vertical.padding + row) * crop.width + horizontal.padding) * CHANNELS;
        return output.subarray(start, start + horizontal.count * CHANNELS);
      };
      // Where nothing is resized along an axis, Pillow leaves out its pass.
      const columns = horizontal.from === horizontal.to ? undefined : coefficientsOf(horizontal, resample);
      const bench = setUp(kernel, {
        columns,
        horizontal,
        sumRows: vertical.from === vertical.to ? 0 : vertical.count,
      });
      if (vertical.from !== vertical.to)
        mixRows(picture, coefficientsOf(vertical, resample), { bench, rowOfOutput });
      else {
        for (let row = 0; row < vertical.count; row += 1) {
          rowOfOutput(row).set(bench.narrow(picture, vertical.first + row));
        }
      }
      return output;
    },
  };
}

const CHANNELS = 3;
/** `mix` goes in steps of this many bytes. */
const STEP = 16;

/** The kernel's memory, laid out for one picture. */
interface Bench {
  /** A row of the picture as wide as the output; good until the next. */
  narrow(picture: Picture, row: number): Uint8Array;
  /** Adds the last one to the sums of a row of the output. */
  mix(row: number, weight: number): void;
  /** Of a row of the output. */
  sums(row: number): Int32Array;
}

interface Job {
  readonly columns: Coefficients | undefined;
  readonly horizontal: { readonly first: number; readonly count: number };
  /** How many rows of sums are needed. */
  readonly sumRows: number;
}

function setUp(kernel: Kernel, { columns, horizontal, sumRows }: Job): Bench {
  const span = columns === undefined ? horizontal : spanOf(columns);
  const width = horizontal.count * CHANNELS;
  const rowBytes = roundUp(width);
  const chunks = columns === undefined ? 0 : Math.ceil(columns.stride / 4);
  const recordBytes = STEP * (1 + chunks);
  const target = roundUp(span.count * CHANNELS) + STEP * 4;
  const from = target + rowBytes + STEP;
  const end = from + recordBytes * horizontal.count;
  const sumsBytes = rowBytes * Int32Array.BYTES_PER_ELEMENT;
  const memory = kernel.reserve(end + sumsBytes * sumRows);
  const table: NarrowTable = { from, end, recordBytes };
  if (columns !== undefined) writeTable(memory, columns, table);
  const sumsOf = (row: number) => new Int32Array(memory.buffer, end + row * sumsBytes, width);
  for (let row = 0; row < sumRows; row += 1) sumsOf(row).fill(1 << (PRECISION_BITS - 1));
  return {
    narrow(picture, row) {
      const start = (row * picture.width + span.first) * CHANNELS;
      const source = picture.data.subarray(start, start + span.count * CHANNELS);
      memory.set(source, columns === undefined ? target : 0);
      if (columns !== undefined) kernel.narrow(0, target, table);
      return memory.subarray(target, target + width);
    },
    mix: (row, weight) => kernel.mix({ from: target, end: target + rowBytes }, end + row * sumsBytes, weight),
    sums: sumsOf,
  };
}

/** The pixels of a row that count at all. */
function spanOf({ firsts, lengths }: Coefficients): { first: number; count: number } {
  const last = firsts.length - 1;
  return { first: firsts[0]!, count: firsts[last]! + lengths[last]! - firsts[0]! };
}

function writeTable(
  memory: Uint8Array<ArrayBuffer>,
  columns: Coefficients,
  { from, recordBytes }: NarrowTable,
): void {
  const { firsts, weights, stride } = columns;
  const four = new Int32Array(4);
  for (let column = 0; column < firsts.length; column += 1) {
    const record = from + column * recordBytes;
    new Int32Array(memory.buffer, record, 1)[0] = (firsts[column]! - firsts[0]!) * CHANNELS;
    const packed = new Int16Array(memory.buffer, record + STEP, recordBytes / 2 - STEP / 2);
    for (let place = 0; place < stride; place += 4) {
      four.fill(0);
      four.set(weights.subarray(column * stride + place, column * stride + Math.min(place + 4, stride)));
      packWeights(four, packed.subarray(place * 2));
    }
  }
}

interface Mixing {
  readonly bench: Bench;
  rowOfOutput(row: number): Uint8Array;
}

/** Down the picture once; the rows of the output that take in a row lie next to one another. */
function mixRows(picture: Picture, rows: Coefficients, { bench, rowOfOutput }: Mixing): void {
  const { firsts, lengths, weights, stride } = rows;
  const count = firsts.length;
  let open = 0;
  for (let row = firsts[0]!; open < count; row += 1) {
    bench.narrow(picture, row);
    for (let taker = open; taker < count && firsts[taker]! <= row; taker += 1) {
      const place = row - firsts[taker]!;
      if (place < lengths[taker]!) bench.mix(taker, weights[taker * stride + place]!);
    }
    for (; open < count && row >= firsts[open]! + lengths[open]! - 1; open += 1) {
      round(bench.sums(open), rowOfOutput(open));
    }
  }
}

function round(sums: Int32Array, output: Uint8Array): void {
  for (let index = 0; index < output.length; index += 1) {
    output[index] = Math.max(0, Math.min(sums[index]! >> PRECISION_BITS, 255));
  }
}

function roundUp(bytes: number): number {
  return Math.ceil(bytes / STEP) * STEP;
}
