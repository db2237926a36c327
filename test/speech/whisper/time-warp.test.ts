import assert from 'node:assert/strict';
import test from 'node:test';
import { warp } from '../../../src/speech/whisper/time-warp.ts';
import { noise } from '../../support/noise.ts';

/** The least sum over all ways from the first cell to the last, each tried. */
function leastSum(cost: Float32Array, rows: number): number {
  const columns = cost.length / rows;
  const from = (row: number, column: number): number => {
    if (row >= rows || column >= columns) return Number.POSITIVE_INFINITY;
    const here = cost[row * columns + column]!;
    if (row === rows - 1 && column === columns - 1) return here;
    return here + Math.min(from(row + 1, column), from(row, column + 1), from(row + 1, column + 1));
  };
  return from(0, 0);
}

/** The least sum over the ways that enter each row at the given column. */
function leastSumThrough(cost: Float32Array, firsts: readonly number[]): number {
  const columns = cost.length / firsts.length;
  let sum = 0;
  for (const [row, first] of firsts.entries()) {
    // The next row is entered from the column before its first one or from that column itself.
    const next = firsts[row + 1];
    const ends = next === undefined ? [columns - 1] : [next - 1, next].filter((end) => end >= first);
    sum += Math.min(
      ...ends.map((end) => total(cost.subarray(row * columns + first, row * columns + end + 1))),
    );
  }
  return sum;
}

function total(values: Float32Array): number {
  return values.reduce((sum, value) => sum + value, 0);
}

test('no way through small matrices is cheaper than the one found', () => {
  let seed = 1;
  for (let rows = 1; rows <= 5; rows += 1) {
    for (let columns = 1; columns <= 6; columns += 1) {
      for (let round = 0; round < 5; round += 1, seed += 1) {
        const cost = noise(rows * columns, seed);
        const firsts = warp(cost, rows);
        assert.equal(firsts.length, rows);
        assert.equal(firsts[0], 0);
        assert.ok(firsts.every((first, row) => first >= (firsts[row - 1] ?? 0) && first < columns));
        const difference = leastSumThrough(cost, firsts) - leastSum(cost, rows);
        assert.ok(Math.abs(difference) < 1e-5, `${rows} × ${columns}, seed ${seed}: ${difference}`);
      }
    }
  }
});

test('each row begins where its cheap stretch does', () => {
  const cheap = [0, 0, 0, 1, 1, 2, 2, 2, 2];
  const cost = Float32Array.from({ length: 3 * 9 }, (_, at) =>
    cheap[at % 9] === Math.floor(at / 9) ? -1 : 1,
  );
  assert.deepEqual(warp(cost, 3), [0, 3, 5]);
});
