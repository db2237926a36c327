import assert from 'node:assert/strict';
import test from 'node:test';
import { createUtteranceDetector, type DetectionSettings } from '../../src/speech/utterance-detector.ts';

/** A frame is 100 ms here, so that the numbers can be read. */
const SETTINGS: DetectionSettings = { threshold: 0.5, prefixMs: 0, silenceMs: 500 };

/** Changes of probabilities written as digits, each as `started 3` with the frame it names and the one after which it came. */
function changes(
  digits: string,
  settings: Partial<DetectionSettings> = {},
  maxUtteranceMs = 25_000,
): string[] {
  const detector = createUtteranceDetector({ ...SETTINGS, ...settings }, { frameMs: 100, maxUtteranceMs });
  return Array.from(digits).flatMap((digit, index) => {
    const change = detector.hear(Number(digit) / 10);
    if (change === undefined) return [];
    const end = change.type === 'stopped' ? ` speech to ${change.speechEnd}` : '';
    return [`${change.type} ${change.frame}${end} @${index + 1}`];
  });
}

test('silence and noise below the threshold begin no utterance', () => {
  assert.deepEqual(changes('00001122334444333222111000'), []);
});

test('an utterance is announced after three frames of speech, and begins with the first', () => {
  assert.deepEqual(changes('0000999'), ['started 4 @7']);
});

test('a click begins no utterance, and neither do many', () => {
  assert.deepEqual(changes('0099009900990099'), []);
});

test('an utterance ends after the silence, and its speech ended before it', () => {
  assert.deepEqual(changes('009999000009'), ['started 2 @5', 'stopped 11 speech to 6 @11']);
});

test('a shorter pause does not end an utterance', () => {
  assert.deepEqual(changes('99990000999900000'), ['started 0 @3', 'stopped 17 speech to 12 @17']);
});

test('the length of the silence is the one that was asked for', () => {
  assert.deepEqual(changes('9999009999', { silenceMs: 200 }), [
    'started 0 @3',
    'stopped 6 speech to 4 @6',
    'started 6 @9',
  ]);
});

test('a probability between the two thresholds neither ends an utterance nor begins one', () => {
  assert.deepEqual(changes('9999444444444499900000'), ['started 0 @3', 'stopped 22 speech to 17 @22']);
});

test('a low threshold still lets an utterance end', () => {
  assert.deepEqual(changes('2222200000', { threshold: 0.1 }), ['started 0 @3', 'stopped 10 speech to 5 @10']);
});

test('an utterance that is too long is cut where it is quietest in its second half, and goes on', () => {
  const found = changes(`${'9'.repeat(13)}75557${'9'.repeat(15)}00000`, {}, 2000);
  assert.deepEqual(found, ['started 0 @3', 'cut 15 @26', 'stopped 38 speech to 33 @38']);
});

test('an utterance that is too long and silent at its end just ends', () => {
  assert.deepEqual(changes(`${'9'.repeat(23)}000`, {}, 2000), [
    'started 0 @3',
    'stopped 26 speech to 23 @26',
  ]);
});

test('an utterance that was ended from outside is followed by another', () => {
  const detector = createUtteranceDetector(SETTINGS, { frameMs: 100, maxUtteranceMs: 25_000 });
  for (let frame = 0; frame < 5; frame += 1) detector.hear(0.9);
  detector.end();
  const later = Array.from({ length: 3 }, () => detector.hear(0.9));
  assert.deepEqual(later, [undefined, undefined, { type: 'started', frame: 5 }]);
});

test('new settings take effect in the open utterance', () => {
  const detector = createUtteranceDetector(SETTINGS, { frameMs: 100, maxUtteranceMs: 25_000 });
  for (const probability of [0.9, 0.9, 0.9, 0]) detector.hear(probability);
  detector.configure({ ...SETTINGS, silenceMs: 200 });
  assert.deepEqual(detector.hear(0), { type: 'stopped', speechEnd: 3, frame: 5 });
});
