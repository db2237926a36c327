import assert from 'node:assert/strict';
import test from 'node:test';
import { compressionRatio } from '../../../src/speech/compression-ratio.ts';
import { cutAtTimestamps } from '../../../src/speech/whisper/segments.ts';

/** Timestamps begin at 100; a second is 50 tokens. */
const stamp = (seconds: number) => 100 + Math.round(seconds * 50);
const cut = (tokens: readonly number[], windowSeconds = 10) => cutAtTimestamps(tokens, 100, windowSeconds);

test('each pair of timestamps is a segment', () => {
  const { runs, heardSeconds } = cut([stamp(0), 1, 2, stamp(2), stamp(2.5), 3, stamp(4)]);
  assert.deepEqual(
    runs.map(({ startSeconds, endSeconds }) => [startSeconds, endSeconds]),
    [
      [0, 2],
      [2.5, 4],
    ],
  );
  assert.equal(heardSeconds, 4);
});

test('words without a closing timestamp last until the end of the window', () => {
  const { runs, heardSeconds } = cut([stamp(0), 1, stamp(2), stamp(2), 3, 4]);
  assert.deepEqual(runs[1], { startSeconds: 2, endSeconds: 10, tokens: [stamp(2), 3, 4] });
  assert.equal(heardSeconds, 10);
});

test('a segment does not pass the end of the audio', () => {
  const { runs } = cut([stamp(0), 1, stamp(12)]);
  assert.equal(runs[0]!.endSeconds, 10);
});

test('a window without words has no segment and is heard whole', () => {
  assert.deepEqual(cut([stamp(0), stamp(1)]), { runs: [], heardSeconds: 10 });
});

test('text that repeats itself has a high compression ratio', () => {
  assert.ok(compressionRatio('and then he said it again '.repeat(20)) > 2.4);
  assert.ok(
    compressionRatio('Mr. John Dashwood had then leisure to consider how much there might be.') < 1.5,
  );
  assert.equal(compressionRatio(''), 0);
});
