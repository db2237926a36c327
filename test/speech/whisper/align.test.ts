import assert from 'node:assert/strict';
import test from 'node:test';
import { tokenTimes } from '../../../src/speech/whisper/align.ts';

/** Each of five tokens listens to ten positions of its own; one head, 60 positions, the last ten padding. */
function attention({ heads = 1, padding = 0 } = {}) {
  const weights = Float32Array.from({ length: heads * 5 * 60 }, (_, at) => {
    const [token, position] = [Math.floor(at / 60) % 5, at % 60];
    if (position >= 50) return padding;
    return Math.floor(position / 10) === token ? 0.09 : 0.0025;
  });
  return { heads, positions: 60, weights };
}

test('a token is said where it begins to be listened to, 20 ms a position', () => {
  const times = tokenTimes(attention(), { first: 1, count: 4, positions: 50 });
  assert.deepEqual(
    times.map((time) => Math.round(time * 50)),
    [0, 20, 30, 40],
  );
});

test('what all tokens listen to, and the padding, change nothing', () => {
  const wanted = tokenTimes(attention(), { first: 0, count: 5, positions: 50 });
  assert.deepEqual(tokenTimes(attention({ padding: 0.5 }), { first: 0, count: 5, positions: 50 }), wanted);
  const loud = attention({ heads: 2 });
  for (let at = 23; at < loud.weights.length; at += 60) loud.weights[at] = 0.9;
  assert.deepEqual(tokenTimes(loud, { first: 0, count: 5, positions: 50 }), wanted);
});

test('audio shorter than a position gives times at its beginning', () => {
  assert.deepEqual(tokenTimes(attention(), { first: 1, count: 3, positions: 0 }), [0, 0, 0]);
});
