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
async function spans(digits: string, options: Partial<VadOptions> = {}): Promise<number[][]> {
  const found: number[][] = [];
  const clock = { frameSamples: 1600, sampleRate: 16_000, totalSamples: digits.length * 1600 };
  for await (const { start, end } of speechSpans([frames(digits)], clock, { ...OPTIONS, ...options }))
    found.push([start / 1600, end / 1600]);
  return found;
}

function frames(digits: string): Float32Array {
  return Float32Array.from(digits, (digit) => Number(digit) / 10);
}

test('silence has no spans', async () => {
  assert.deepEqual(await spans('0000000000'), []);
  assert.deepEqual(await spans(''), []);
});

test('speech is padded on both sides, inside the recording', async () => {
  assert.deepEqual(await spans('000009999900000'), [[3, 12]]);
  assert.deepEqual(await spans('99999'), [[0, 5]]);
});

test('a pause shorter than the shortest silence does not end speech', async () => {
  assert.deepEqual(await spans('9999000099990000000'), [[0, 14]]);
  assert.deepEqual(await spans('9999000000999900000'), [
    [0, 6],
    [8, 16],
  ]);
});

test('a click is not speech', async () => {
  assert.deepEqual(await spans('0000990000000'), []);
});

test('a probability between the two thresholds neither begins nor ends speech', async () => {
  assert.deepEqual(await spans('0000444440000'), []);
  assert.deepEqual(await spans('0000999944444444449999000000'), [[2, 24]]);
});

test('pads that would meet share the gap', async () => {
  const found = await spans('99990000009999', { padMs: 400 });
  assert.deepEqual(found, [
    [0, 7],
    [7, 14],
  ]);
});

test('speech longer than the longest is cut where it is quietest, and nothing is lost', async () => {
  const found = await spans(`${'9'.repeat(25)}777${'9'.repeat(22)}`, { maxSpeechSeconds: 4, padMs: 0 });
  assert.equal(found.length, 2);
  assert.equal(found[0]![1], found[1]![0]);
  assert.ok(found[0]![1]! >= 24 && found[0]![1]! <= 28, `cut at ${found[0]![1]}`);
  for (const [start, end] of found) assert.ok(end! - start! <= 40);
});

test('a span is given as soon as the speech after it has ended, whatever the blocks', async () => {
  const digits = `${'0'.repeat(3)}${`${'9'.repeat(6)}${'0'.repeat(8)}`.repeat(5)}`;
  const whole = await spans(digits);
  const clock = { frameSamples: 1600, sampleRate: 16_000, totalSamples: digits.length * 1600 };
  let taken = 0;
  const blocks = Array.from(digits, (digit) => frames(digit));
  function* counted() {
    for (const block of blocks) {
      taken += 1;
      yield block;
    }
  }
  const found: number[][] = [];
  for await (const { start, end } of speechSpans(counted(), clock, OPTIONS)) {
    found.push([start / 1600, end / 1600]);
    assert.ok(taken <= end / 1600 + 20, `${taken} frames were heard for a span that ends at ${end / 1600}`);
  }
  assert.deepEqual(found, whole);
  assert.equal(found.length, 5);
});

test('speech without a pause is cut while it still goes on', async () => {
  const clock = { frameSamples: 1600, sampleRate: 16_000, totalSamples: 1600 * 10_000 };
  let taken = 0;
  function* endless() {
    for (; taken < 10_000; taken += 1) yield frames('9');
  }
  for await (const span of speechSpans(endless(), clock, OPTIONS)) {
    assert.ok(span.end <= 12 * 16_000);
    assert.ok(taken < 300, `${taken} frames were heard`);
    break;
  }
});
