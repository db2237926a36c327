/** What the token loop does to keys and values between two steps: the first dimension is windows, or rows. */
import type { OnnxTensor } from '../../backends/onnx.ts';

export type Tensor = OnnxTensor<Float32Array | Int8Array>;
/** By the name of the graph's input or output. */
export type Tensors = Readonly<Record<string, Tensor>>;

/** Some tensors of the same dims, one behind the other in one piece of memory. */
export function tensorsIn(memory: Float32Array, names: readonly string[], dims: readonly number[]): Tensors {
  const size = dims.reduce((product, length) => product * length, 1);
  const tensorAt = (place: number) => ({ data: memory.subarray(place * size, (place + 1) * size), dims });
  return Object.fromEntries(names.map((name, place) => [name, tensorAt(place)]));
}

export function mapValues(tensors: Tensors, change: (tensor: Tensor) => Tensor): Tensors {
  return Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, change(tensor)]));
}

export function integers(
  values: readonly number[],
  dims: readonly number[] = [values.length],
): OnnxTensor<BigInt64Array> {
  return { data: BigInt64Array.from(values, BigInt), dims };
}

/** Indices [start, end) of the first dimension, without a copy. */
export function sliceOf({ data, dims: [all, ...rest] }: Tensor, start: number, end: number): Tensor {
  const size = data.length / all!;
  return { data: data.subarray(start * size, end * size), dims: [end - start, ...rest] };
}

/**
 * Puts the first indices of the first dimension into another order, in place, cycle by cycle: `order` is a permutation of them.
 * `spare` holds one of them meanwhile.
 */
export function orderLeading(tensor: Tensor, order: readonly number[], spare: Uint8Array): void {
  const data = bytesOf(tensor);
  const size = data.length / tensor.dims[0]!;
  const kept = spare.subarray(0, size);
  const isDone = order.map((from, to) => from === to);
  for (let first = 0; first < order.length; first += 1) {
    if (isDone[first]) continue;
    kept.set(data.subarray(first * size, (first + 1) * size));
    let to = first;
    for (; order[to] !== first; to = order[to]!) {
      data.copyWithin(to * size, order[to]! * size, (order[to]! + 1) * size);
      isDone[to] = true;
    }
    data.set(kept, to * size);
    isDone[to] = true;
  }
}

/** Whether the given indices can be kept by moves inside the same memory: each stands at or before its old place, or fills a gap. */
export function canMove(rows: readonly number[]): boolean {
  return rows.every((row, place) => row === place || (row >= rows.length && rows.indexOf(row) === place));
}

/** The given indices of the first dimension, in the memory of `tensor`; `canMove` must hold. */
export function moveLeading({ data, dims: [all, ...rest] }: Tensor, rows: readonly number[]): Tensor {
  const size = data.length / all!;
  rows.forEach((row, place) => {
    if (row !== place) data.copyWithin(place * size, row * size, (row + 1) * size);
  });
  return { data: data.subarray(0, rows.length * size), dims: [rows.length, ...rest] };
}

/** Copies the given indices of the first dimension of `from`, as often as named, into `to`. */
export function copyLeading(from: Tensor, rows: readonly number[], to: Tensor): void {
  const [source, target] = [bytesOf(from), bytesOf(to)];
  const size = source.length / from.dims[0]!;
  rows.forEach((row, place) => {
    target.set(source.subarray(row * size, (row + 1) * size), place * size);
  });
}

/** The first numbers of a tensor's memory as a smaller tensor. */
export function beginningOf({ data }: Tensor, dims: readonly number[]): Tensor {
  return {
    data: data.subarray(
      0,
      dims.reduce((product, length) => product * length, 1),
    ),
    dims,
  };
}

/**
 * Spreads the tensor at the beginning of the memory of `target` over it, and lays behind each of its rows what `whole` has from there on,
 * along the dimension in which it is shorter.
 */
export function complete(first: Tensor, whole: Tensor, target: Tensor): void {
  const axis = first.dims.findIndex((length, index) => length !== whole.dims[index]);
  const rows = first.dims.slice(0, axis).reduce((product, length) => product * length, 1);
  const [bytes, behind] = [bytesOf(target), bytesOf(whole)];
  const [short, long] = [first.data.byteLength / rows, behind.length / rows];
  // From the last one on, so that none is written over before it has moved.
  for (let row = rows - 1; row >= 0; row -= 1) {
    bytes.copyWithin(row * long, row * short, (row + 1) * short);
    bytes.set(behind.subarray(row * long + short, (row + 1) * long), row * long + short);
  }
}

function bytesOf({ data }: Tensor): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}
