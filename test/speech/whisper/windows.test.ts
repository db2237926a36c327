import assert from 'node:assert/strict';
import test from 'node:test';
import { soundOf } from '../../../src/audio/sound.ts';
import {
  encodedFrames,
  framesFor,
  gatherOpening,
  halves,
  packSpans,
} from '../../../src/speech/whisper/windows.ts';

const seconds = (start: number, end: number) => ({ start: start * 16_000, end: end * 16_000 });

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

test('neighbouring spans share a window as long as it stays short enough', async () => {
  const windows = await all(packSpans([seconds(0, 4), seconds(5, 9), seconds(9.5, 13)], 12));
  assert.deepEqual(windows, [seconds(0, 9), seconds(9.5, 13)]);
});

test('spans far apart do not share a window', async () => {
  assert.equal((await all(packSpans([seconds(0, 2), seconds(6, 8)], 12))).length, 2);
});

test('the opening holds five seconds of speech, unless there is less; then windows come alone', async () => {
  const short = [seconds(0, 1), seconds(4, 6), seconds(10, 13), seconds(20, 21), seconds(30, 31)];
  const groups = await all(gatherOpening(short));
  assert.deepEqual(groups, [short.slice(0, 3), [short[3]], [short[4]]]);
  assert.deepEqual(await all(gatherOpening(short.slice(0, 2))), [short.slice(0, 2)]);
  assert.deepEqual(await all(gatherOpening([])), []);
});

test('a window is followed by two seconds of silence, unless it is the longest there is', () => {
  const lengths = [1000, 1500, 3000];
  assert.equal(framesFor(seconds(0, 3), lengths), 1000);
  assert.equal(framesFor(seconds(0, 8.1), lengths), 1500);
  assert.equal(framesFor(seconds(0, 13), lengths), 1500);
  assert.equal(framesFor(seconds(0, 13.1), lengths), 3000);
  assert.equal(framesFor(seconds(0, 30), lengths), 3000);
});

test('only the speech and a little silence are encoded, in steps of half a second; the longest window is whole', () => {
  assert.equal(encodedFrames(seconds(0, 9), 1500, [1100, 1150, 1500, 3000]), 1100);
  assert.equal(encodedFrames(seconds(5, 14.1), 1500, [1100, 1150, 1500, 3000]), 1150);
  assert.equal(encodedFrames(seconds(0, 12.9), 1500, [1100, 1150, 1500, 3000]), 1500);
  assert.equal(encodedFrames(seconds(0, 3), 1500, [1100, 1150, 1500, 3000]), 1000);
  assert.equal(encodedFrames(seconds(0, 3), 3000, [1100, 1150, 1500, 3000]), 3000);
});

test('a window that holds too much is cut at its quietest place, and never near its ends', () => {
  const samples = new Float32Array(10 * 16_000).fill(0.5);
  samples.fill(0, 5.5 * 16_000, 5.7 * 16_000);
  // Longer, but too near to the end.
  samples.fill(0, 8.5 * 16_000, 9.5 * 16_000);
  const [first, second] = halves(seconds(1, 10), soundOf(samples));
  assert.equal(first.start, 16_000);
  assert.equal(second.end, 160_000);
  assert.equal(first.end, second.start);
  assert.ok(first.end > 5.5 * 16_000 && first.end < 5.7 * 16_000, `${first.end / 16_000} s`);
});

test('a window without a quiet place is cut near its middle', () => {
  const [first, second] = halves(seconds(0, 10), soundOf(new Float32Array(10 * 16_000).fill(0.5)));
  assert.equal(first.end, second.start);
  assert.ok(first.end >= 3 * 16_000 && first.end <= 7 * 16_000);
});
