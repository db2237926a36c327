import assert from 'node:assert/strict';
import test from 'node:test';
import { createSlab } from '../../src/backends/slab.ts';

test('what is given back is taken again, and never by two at once', () => {
  const slab = createSlab({ least: 0, most: 2 });
  const large = slab.take(1000);
  const other = slab.take(10);
  assert.notEqual(large, other);
  slab.give(other);
  slab.give(large);
  const small = slab.take(500);
  assert.equal(small, large);
  assert.notEqual(slab.take(500), large);
  slab.give(small);
  assert.notEqual(slab.take(2000), large);
});

test('a slab begins with room for what is usual', () => {
  const slab = createSlab({ least: 1000, most: 1 });
  const small = slab.take(10);
  assert.equal(small.byteLength, 1000);
  slab.give(small);
  assert.equal(slab.take(1000), small);
});

test('a piece that was too small grows by more than it must', () => {
  const slab = createSlab({ least: 100, most: 1 });
  const grown = slab.take(200);
  assert.equal(grown.byteLength, 300);
  slab.give(grown);
  assert.equal(slab.take(300), grown);
});

test('the smallest of too many pieces goes, and so does one that is too large to keep', () => {
  const slab = createSlab({ least: 0, most: 1, largest: 1000 });
  const [small, medium, huge] = [slab.take(10), slab.take(100), slab.take(2000)];
  for (const piece of [medium, small, huge]) slab.give(piece);
  assert.equal(slab.take(10), medium);
  assert.notEqual(slab.take(10), small);
});
