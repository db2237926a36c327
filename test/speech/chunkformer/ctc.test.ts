import assert from 'node:assert/strict';
import test from 'node:test';
import { createCtcDecoder, type Utterance } from '../../../src/speech/chunkformer/ctc.ts';

const SILENCE = [0, 0, 0, 0, 0, 0];

function decode(ids: readonly number[], { at = ids.length, mergesRepeats = false } = {}): Utterance[] {
  const decoder = createCtcDecoder({ mergesRepeats });
  const logProbs = ids.map(() => -0.5);
  return [
    ...decoder.push(ids.slice(0, at), logProbs.slice(0, at)),
    ...decoder.push(ids.slice(at), logProbs.slice(at)),
    ...decoder.end(),
  ];
}

test('a symbol over several frames is one, and two when a blank stands between', () => {
  assert.deepEqual(decode([5, 5, 0, 5, 7, 7])[0]?.ids, [5, 5, 7]);
});

test('with merged repeats a blank between makes no difference, as in the Python package', () => {
  assert.deepEqual(decode([5, 5, 0, 5, 7, 7], { mergesRepeats: true })[0]?.ids, [5, 7]);
});

test('half a second of blanks ends an utterance, and the next begins no earlier than half way', () => {
  const ids = [0, 0, 0, 3, ...SILENCE, 4, 0, 5];
  assert.deepEqual(
    decode(ids).map(({ startFrame, endFrame, ids: own }) => [startFrame, endFrame, own]),
    [
      // Two frames of lead; then from the middle between the end and the symbol.
      [1, 9, [3]],
      [10, 12, [4, 5]],
    ],
  );
  assert.equal(decode([3, ...SILENCE.slice(1), 4]).length, 1);
});

test('nothing but blanks is no utterance, and the first symbol may be in the first frame', () => {
  assert.deepEqual(decode(SILENCE.concat(SILENCE)), []);
  assert.deepEqual(decode([]), []);
  assert.deepEqual(decode([9]), [{ startFrame: 0, endFrame: 0, ids: [9], avgLogprob: -0.5 }]);
});

test('it makes no difference where frames are cut', () => {
  const ids = [0, 2, 2, 0, 2, ...SILENCE, 0, 6, 6, 0, ...SILENCE, 1, 1, 0, 1];
  const whole = decode(ids);
  assert.equal(whole.length, 3);
  for (let at = 0; at <= ids.length; at += 1) assert.deepEqual(decode(ids, { at }), whole);
});

test('the mean log probability is that of the frames with symbols', () => {
  const decoder = createCtcDecoder({ mergesRepeats: false });
  decoder.push([4, 4, 0, 5], [-1, -2, -9, -3]);
  assert.equal(decoder.end()[0]?.avgLogprob, -2);
});
