import assert from 'node:assert/strict';
import test from 'node:test';
import { FrameWindow } from '../../../src/speech/chunkformer/frame-window.ts';

test('frames are found by their number, however often rows were added and dropped', () => {
  const window = new FrameWindow(2, -3);
  window.append(3).fill(-1);
  let next = 0;
  for (let round = 0; round < 200; round += 1) {
    const rows = 1 + (round % 7);
    const room = window.append(rows);
    for (let row = 0; row < rows; row += 1) room.fill(next + row, 2 * row, 2 * row + 2);
    next += rows;
    assert.equal(window.end, next);
    const from = Math.max(-3, next - 12);
    assert.deepEqual(
      [...window.view(from, next)].filter((_, index) => index % 2 === 0),
      Array.from({ length: next - from }, (_, index) => Math.max(-1, from + index)),
    );
    window.dropBefore(next - 12);
  }
});

test('what was dropped or has not come is not given', () => {
  const window = new FrameWindow(1, 0);
  window.append(5).set([0, 1, 2, 3, 4]);
  window.dropBefore(2);
  assert.deepEqual([...window.view(2, 5)], [2, 3, 4]);
  assert.throws(() => window.view(1, 3), /not among \[2, 5\)/);
  assert.throws(() => window.view(4, 6), /not among/);
  window.dropBefore(9);
  assert.equal(window.view(5, 5).length, 0);
});
