/** Pillow's resize and a crop of its middle, equal to the last bit: one pass along the rows, rounded to 8 bits, then one along the columns. */
import { type Coefficients, coefficientsOf, PRECISION_BITS } from './coefficients.ts';
import { type Axis, geometryOf } from './geometry.ts';
import type { Picture } from './picture.ts';
import type { Preprocessing } from './preprocessing.ts';

/** What the model sees of the picture, RGB [crop.height × crop.width × 3]. Only what lies within the crop is computed. */
export function resizeAndCrop(picture: Picture, preprocessing: Preprocessing): Uint8Array<ArrayBuffer> {
  const { horizontal, vertical } = geometryOf(picture, preprocessing);
  const { crop, resample } = preprocessing;
  const columns = horizontal.from === horizontal.to ? undefined : coefficientsOf(horizontal, resample);
  const rows = vertical.from === vertical.to ? undefined : coefficientsOf(vertical, resample);
  const span = spanOf(rows, vertical);
  const narrow = new Uint8Array(span.count * horizontal.count * CHANNELS);
  for (let row = 0; row < span.count; row += 1) {
    const start = (span.first + row) * picture.width * CHANNELS;
    const source = picture.data.subarray(start, start + picture.width * CHANNELS);
    const target = narrow.subarray(
      row * horizontal.count * CHANNELS,
      (row + 1) * horizontal.count * CHANNELS,
    );
    if (columns === undefined)
      target.set(
        source.subarray(horizontal.first * CHANNELS, (horizontal.first + horizontal.count) * CHANNELS),
      );
    else narrowRow(source, target, columns);
  }
  const output = new Uint8Array(crop.width * crop.height * CHANNELS);
  const stride = horizontal.count * CHANNELS;
  for (let row = 0; row < vertical.count; row += 1) {
    const start = ((vertical.padding + row) * crop.width + horizontal.padding) * CHANNELS;
    const target = output.subarray(start, start + stride);
    if (rows === undefined) target.set(narrow.subarray(row * stride, (row + 1) * stride));
    else mixRows(narrow, target, { rows, row, firstRow: span.first });
  }
  return output;
}

const CHANNELS = 3;
const HALF = 1 << (PRECISION_BITS - 1);

/** The rows of the input that the wanted ones are made of. */
function spanOf(rows: Coefficients | undefined, vertical: Axis): { first: number; count: number } {
  if (rows === undefined) return vertical;
  const last = vertical.count - 1;
  const first = rows.firsts[0]!;
  return { first, count: rows.firsts[last]! + rows.lengths[last]! - first };
}

function narrowRow(source: Uint8Array, target: Uint8Array, columns: Coefficients): void {
  const { firsts, lengths, weights, stride } = columns;
  for (let column = 0; column < firsts.length; column += 1) {
    let red = HALF;
    let green = HALF;
    let blue = HALF;
    let at = firsts[column]! * CHANNELS;
    const end = column * stride + lengths[column]!;
    for (let place = column * stride; place < end; place += 1) {
      const weight = weights[place]!;
      red = (red + Math.imul(source[at]!, weight)) | 0;
      green = (green + Math.imul(source[at + 1]!, weight)) | 0;
      blue = (blue + Math.imul(source[at + 2]!, weight)) | 0;
      at += CHANNELS;
    }
    target[column * CHANNELS] = clip(red);
    target[column * CHANNELS + 1] = clip(green);
    target[column * CHANNELS + 2] = clip(blue);
  }
}

interface Mix {
  readonly rows: Coefficients;
  /** Of those wanted. */
  readonly row: number;
  /** Of the input, where `narrow` begins. */
  readonly firstRow: number;
}

function mixRows(narrow: Uint8Array, target: Uint8Array, { rows, row, firstRow }: Mix): void {
  const sums = new Int32Array(target.length).fill(HALF);
  for (let place = 0; place < rows.lengths[row]!; place += 1) {
    const weight = rows.weights[row * rows.stride + place]!;
    const start = (rows.firsts[row]! + place - firstRow) * target.length;
    for (let at = 0; at < sums.length; at += 1) {
      sums[at] = sums[at]! + Math.imul(narrow[start + at]!, weight);
    }
  }
  for (let at = 0; at < sums.length; at += 1) target[at] = clip(sums[at]!);
}

function clip(sum: number): number {
  const value = sum >> PRECISION_BITS;
  return Math.max(0, Math.min(value, 255));
}
