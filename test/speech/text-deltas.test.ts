import assert from 'node:assert/strict';
import test from 'node:test';
import { createTextDeltas } from '../../src/speech/text-deltas.ts';

const SEGMENTS: Record<string, readonly string[]> = {
  'words with a space before them': [' Hello there.', ' Good', ' bye.'],
  'no segment': [],
  'space at both ends and in between': ['  Hello \n', ' there. ', ' ', '\t'],
  'a script without spaces': ['こんにちは', '。', 'さようなら'],
  'nothing but space': [' ', '\n'],
};

for (const [name, segments] of Object.entries(SEGMENTS)) {
  test(`deltas of ${name} join to the text of the transcript`, () => {
    const deltaOf = createTextDeltas();
    assert.equal(segments.map(deltaOf).join(''), segments.join('').trim());
  });
}

test('a delta is all that is new but the space at its end', () => {
  const deltaOf = createTextDeltas();
  assert.deepEqual([' Hello. ', ' Bye.', ' '].map(deltaOf), ['Hello.', '  Bye.', '']);
});
