import assert from 'node:assert/strict';
import test from 'node:test';
import type { VadOptions } from '../../src/speech/transcript.ts';
import { speechSpans } from '../../src/speech/voice-activity.ts';

/** A frame is 100 ms here, so that the numbers can be read. */
const OPTIONS: VadOptions = {
  enabled: true,
  threshold: 0.5,
  minSpeechMs: 250,
  minSilenceMs: 500,
  padMs: 200,
  maxSpeechSeconds: 12,
};

/** Spans in frames, of probabilities written as digits: `0990` is 0, 0.9, 0.9, 0. */
function spans(digits: string, options: Partial<VadOptions> = {}): number[][] {
  const probabilities = Float32Array.from(digits, (digit) => Number(digit) / 10);
  const clock = { frameSamples: 1600, sampleRate: 16_000, totalSamples: digits.length * 1600 };
  return speechSpans(probabilities, clock, { ...OPTIONS, ...options }).map(({ start, end }) => [
    start / 1600,
    end / 1600,
  ]);
}

test('silence has no spans', () => {
  assert.deepEqual(spans('0000000000'), []);
  assert.deepEqual(spans(''), []);
});

test('speech is padded on both sides, inside the recording', () => {
  assert.deepEqual(spans('000009999900000'), [[3, 12]]);
  assert.deepEqual(spans('99999'), [[0, 5]]);
});

test('a pause shorter than the shortest silence does not end speech', () => {
  assert.deepEqual(spans('9999000099990000000'), [[0, 14]]);
  assert.deepEqual(spans('9999000000999900000'), [
    [0, 6],
    [8, 16],
  ]);
});

test('a click is not speech', () => {
  assert.deepEqual(spans('0000990000000'), []);
});

test('a probability between the two thresholds neither begins nor ends speech', () => {
  assert.deepEqual(spans('0000444440000'), []);
  assert.deepEqual(spans('0000999944444444449999000000'), [[2, 24]]);
});

test('pads that would meet share the gap', () => {
  const found = spans('99990000009999', { padMs: 400 });
  assert.deepEqual(found, [
    [0, 7],
    [7, 14],
  ]);
});

test('speech longer than the longest is cut where it is quietest, and nothing is lost', () => {
  const found = spans(`${'9'.repeat(25)}777${'9'.repeat(22)}`, { maxSpeechSeconds: 4, padMs: 0 });
  assert.equal(found.length, 2);
  assert.equal(found[0]![1], found[1]![0]);
  assert.ok(found[0]![1]! >= 24 && found[0]![1]! <= 28, `cut at ${found[0]![1]}`);
  for (const [start, end] of found) assert.ok(end! - start! <= 40);
});
