import assert from 'node:assert/strict';
import test from 'node:test';
import { createBufferPool, createSlab } from '../../src/backends/buffer-pool.ts';

const MIB = 2 ** 20;

test('what is given back is taken again, and never by two at once', () => {
  const pool = createBufferPool(16 * MIB);
  const first = pool.take(100_000);
  const second = pool.take(100_000);
  assert.notEqual(first.buffer, second.buffer);
  pool.give(first);
  const third = pool.take(110_000);
  assert.equal(third.buffer, first.buffer);
  assert.equal(third.length, 110_000);
  pool.give(third);
  pool.give(third);
  const [fourth, fifth] = [pool.take(100_000), pool.take(100_000)];
  assert.notEqual(fourth.buffer, fifth.buffer);
});

test('a part of an array gives the whole back, and a stranger is ignored', () => {
  const pool = createBufferPool(16 * MIB);
  const whole = pool.take(100_000);
  pool.give(whole.subarray(10, 20));
  assert.equal(pool.take(100_000).buffer, whole.buffer);
  const stranger = new Float32Array(200_000);
  pool.give(stranger);
  assert.notEqual(pool.take(100_000).buffer, stranger.buffer);
});

test('a pool keeps no more than it may, and does not waste large memory on small wishes', () => {
  const pool = createBufferPool(2 * MIB);
  const arrays = [pool.take(MIB / 4), pool.take(MIB / 4), pool.take(MIB / 4)];
  for (const array of arrays) pool.give(array);
  assert.notEqual(pool.take(10).buffer, arrays[2]!.buffer);
  const kept = [pool.take(MIB / 4), pool.take(MIB / 4), pool.take(MIB / 4)];
  const again = kept.filter((array) => arrays.some(({ buffer }) => buffer === array.buffer));
  assert.equal(again.length, 2);
});

test('a slab serves whatever fits into the largest piece there was', () => {
  const slab = createSlab(0);
  const large = slab.take(1000);
  const other = slab.take(10);
  assert.notEqual(large.buffer, other.buffer);
  slab.give(other);
  slab.give(large);
  const small = slab.take(500);
  assert.deepEqual([small.buffer, small.length], [large.buffer, 500]);
  slab.give(small);
  assert.notEqual(slab.take(2000).buffer, large.buffer);
});

test('a slab begins with room for what is usual', () => {
  const slab = createSlab(1000);
  const small = slab.take(10);
  assert.equal(small.length, 10);
  slab.give(small);
  assert.equal(slab.take(1000).buffer, small.buffer);
});
