import assert from 'node:assert/strict';
import test from 'node:test';
import {
  beginningOf,
  canMove,
  complete,
  copyLeading,
  moveLeading,
  orderLeading,
  sliceOf,
  type Tensor,
} from '../../../src/speech/whisper/tensors.ts';

/** Row r holds 10r and 10r + 1. */
const rowsOf = (count: number) => ({
  data: Float32Array.from({ length: 2 * count }, (_, index) => 10 * (index >> 1) + (index % 2)),
  dims: [count, 2],
});
const firsts = ({ data }: Tensor) => [...data].filter((_, index) => index % 2 === 0);

test('any permutation of the first rows is made in place', () => {
  for (const order of [
    [0, 1, 2, 3],
    [3, 1, 2, 0],
    [1, 2, 3, 0],
    [1, 0, 3, 2],
    [2, 0, 1],
  ]) {
    const tensor = rowsOf(5);
    orderLeading(tensor, order, new Uint8Array(8));
    const rest = [0, 1, 2, 3, 4].slice(order.length);
    assert.deepEqual(
      firsts(tensor),
      [...order, ...rest].map((row) => 10 * row),
    );
    assert.equal(tensor.data[1], 10 * order[0]! + 1);
  }
});

test('rows that leave are closed up by moves; rows that fork are copied', () => {
  assert.equal(canMove([0, 3, 2]), true);
  assert.equal(canMove([0, 0, 1]), false);
  assert.equal(canMove([1, 2]), false);
  const tensor = rowsOf(4);
  const moved = moveLeading(tensor, [0, 3, 2]);
  assert.deepEqual(
    [firsts(moved), moved.dims],
    [
      [0, 30, 20],
      [3, 2],
    ],
  );
  assert.equal(moved.data.buffer, tensor.data.buffer);
  const copy = { data: new Float32Array(6), dims: [3, 2] };
  copyLeading(rowsOf(3), [2, 0, 2], copy);
  assert.deepEqual(firsts(copy), [20, 0, 20]);
});

test('a slice shares the memory', () => {
  const tensor = rowsOf(4);
  const slice = sliceOf(tensor, 1, 3);
  assert.deepEqual(
    [firsts(slice), slice.dims],
    [
      [10, 20],
      [2, 2],
    ],
  );
  assert.equal(slice.data.buffer, tensor.data.buffer);
});

test('a shorter tensor is completed by what a longer one has behind it, in an inner dimension', () => {
  const numbers = (first: number, dims: number[]) => ({
    data: Float32Array.from({ length: dims.reduce((a, b) => a * b) }, (_, index) => first + index),
    dims,
  });
  const target = numbers(0, [1, 2, 4]);
  complete(beginningOf(target, [1, 2, 1]), numbers(20, [1, 2, 4]), target);
  assert.deepEqual([...target.data], [0, 21, 22, 23, 1, 25, 26, 27]);
  const blocks = numbers(0, [1, 2, 3, 2]);
  complete(beginningOf(blocks, [1, 2, 2, 2]), numbers(20, [1, 2, 3, 2]), blocks);
  assert.deepEqual([...blocks.data], [0, 1, 2, 3, 24, 25, 4, 5, 6, 7, 30, 31]);
});
