import assert from 'node:assert/strict';
import test from 'node:test';
import { framesFor, packSpans } from '../../../src/speech/whisper/windows.ts';

const seconds = (start: number, end: number) => ({ start: start * 16_000, end: end * 16_000 });

test('neighbouring spans share a window as long as it stays short enough', () => {
  const windows = packSpans([seconds(0, 4), seconds(5, 9), seconds(9.5, 13)], 12);
  assert.deepEqual(windows, [seconds(0, 9), seconds(9.5, 13)]);
});

test('spans far apart do not share a window', () => {
  assert.equal(packSpans([seconds(0, 2), seconds(6, 8)], 12).length, 2);
});

test('a window is followed by three seconds of silence, unless it is the longest there is', () => {
  const lengths = [1000, 1500, 3000];
  assert.equal(framesFor(seconds(0, 3), lengths), 1000);
  assert.equal(framesFor(seconds(0, 7.5), lengths), 1500);
  assert.equal(framesFor(seconds(0, 12), lengths), 1500);
  assert.equal(framesFor(seconds(0, 12.1), lengths), 3000);
  assert.equal(framesFor(seconds(0, 30), lengths), 3000);
});
