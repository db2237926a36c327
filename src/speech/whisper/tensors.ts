/** What the token loop does to keys and values between two steps: the first dimension is windows, or rows. */
import type { OnnxTensor } from '../../backends/onnx.ts';

export type FloatTensor = OnnxTensor<Float32Array>;
/** By the name of the graph's input or output. */
export type Tensors = Readonly<Record<string, FloatTensor>>;

const KINDS = ['key', 'value'] as const;
type Kind = (typeof KINDS)[number];

/** Keys and values of every layer, one behind the other in one piece of memory. */
export function tensorsIn(
  memory: Float32Array,
  options: {
    readonly layers: number;
    name(kind: Kind, layer: number): string;
    readonly dims: Readonly<Record<Kind, readonly number[]>>;
  },
): Tensors {
  const { layers, name, dims } = options;
  const size = dims.key.reduce((product, length) => product * length, 1);
  const tensors: Record<string, FloatTensor> = {};
  let at = 0;
  for (let layer = 0; layer < layers; layer += 1) {
    for (const kind of KINDS) {
      tensors[name(kind, layer)] = { data: memory.subarray(at, at + size), dims: dims[kind] };
      at += size;
    }
  }
  return tensors;
}

export function mapValues(
  tensors: Tensors,
  change: (tensor: FloatTensor, name: string) => FloatTensor,
): Tensors {
  return Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, change(tensor, name)]));
}

export function integers(
  values: readonly number[],
  dims: readonly number[] = [values.length],
): OnnxTensor<BigInt64Array> {
  return { data: BigInt64Array.from(values, BigInt), dims };
}

/** Indices [start, end) of the first dimension, without a copy. */
export function sliceOf(
  { data, dims: [all, ...rest] }: FloatTensor,
  start: number,
  end: number,
): FloatTensor {
  const size = data.length / all!;
  return { data: data.subarray(start * size, end * size), dims: [end - start, ...rest] };
}

/**
 * Puts the first indices of the first dimension into another order, in place, cycle by cycle: `order` is a permutation of them.
 * `spare` holds one of them meanwhile.
 */
export function orderLeading(
  { data, dims }: FloatTensor,
  order: readonly number[],
  spare: Float32Array,
): void {
  const size = data.length / dims[0]!;
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
export function moveLeading(
  { data, dims: [all, ...rest] }: FloatTensor,
  rows: readonly number[],
): FloatTensor {
  const size = data.length / all!;
  rows.forEach((row, place) => {
    if (row !== place) data.copyWithin(place * size, row * size, (row + 1) * size);
  });
  return { data: data.subarray(0, rows.length * size), dims: [rows.length, ...rest] };
}

/** Copies the given indices of the first dimension of `from`, as often as named, into `to`. */
export function copyLeading(from: FloatTensor, rows: readonly number[], to: FloatTensor): void {
  const size = from.data.length / from.dims[0]!;
  rows.forEach((row, place) => {
    to.data.set(from.data.subarray(row * size, (row + 1) * size), place * size);
  });
}

/** The first numbers of a tensor's memory as a smaller tensor. */
export function beginningOf({ data }: FloatTensor, dims: readonly number[]): FloatTensor {
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
export function complete(first: FloatTensor, whole: FloatTensor, target: FloatTensor): void {
  const axis = first.dims.findIndex((length, index) => length !== whole.dims[index]);
  const rows = first.dims.slice(0, axis).reduce((product, length) => product * length, 1);
  const [short, long] = [first.data.length / rows, whole.data.length / rows];
  // From the last one on, so that none is written over before it has moved.
  for (let row = rows - 1; row >= 0; row -= 1) {
    target.data.copyWithin(row * long, row * short, (row + 1) * short);
    target.data.set(whole.data.subarray(row * long + short, (row + 1) * long), row * long + short);
  }
}
