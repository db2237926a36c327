import assert from 'node:assert/strict';
import test from 'node:test';
import { medianFilter } from '../../../src/speech/whisper/median-filter.ts';
import { noise } from '../../support/noise.ts';

test('each value becomes the median of those around it, with the ends mirrored', () => {
  for (const length of [4, 5, 7, 8, 50]) {
    const row = noise(length, length);
    // numpy's mode "reflect": the end itself is not repeated.
    const mirrored = [...row.slice(1, 4).reverse(), ...row, ...row.slice(-4, -1).reverse()];
    const expected = Array.from(row, (_, at) => mirrored.slice(at, at + 7).sort((a, b) => a - b)[3]!);
    assert.deepEqual([...medianFilter(row, 7)], expected);
  }
});

test('a spike goes and an edge stays', () => {
  const row = Float32Array.of(0, 0, 0, 9, 0, 0, 0, 0, 5, 5, 5, 5, 5);
  assert.deepEqual([...medianFilter(row, 7)], [0, 0, 0, 0, 0, 0, 0, 0, 5, 5, 5, 5, 5]);
});

test('a row too short to be mirrored is left as it is', () => {
  assert.deepEqual([...medianFilter(Float32Array.of(3, 1, 2), 7)], [3, 1, 2]);
});
