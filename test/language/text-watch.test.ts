import assert from 'node:assert/strict';
import test from 'node:test';
import { watchFor } from '../../src/language/text-watch.ts';

function passed(strings: readonly string[], pieces: readonly string[]) {
  const watch = watchFor(strings);
  const text = pieces.map((piece) => watch.push(piece)).join('');
  return { text: text + watch.end(), found: watch.found };
}

test('text without the strings passes whole, however it is cut', () => {
  for (const pieces of [['abcab'], ['a', 'b', 'c', 'a', 'b'], ['ab', 'cab']])
    assert.deepEqual(passed(['abd', 'cd'], pieces), { text: 'abcab', found: undefined });
});

test('a string that comes in pieces is found, and nothing of it or behind it passes', () => {
  for (const pieces of [['one STOP two'], ['one ST', 'OP two'], [...'one STOP two']])
    assert.deepEqual(passed(['STOP'], pieces), { text: 'one ', found: 'STOP' });
});

test('of several strings the first in the text counts', () => {
  assert.deepEqual(passed(['b', 'ab'], ['xab']), { text: 'x', found: 'ab' });
});

test('what could be a beginning is held back, and no more than that', () => {
  const watch = watchFor(['<end>']);
  assert.equal(watch.push('text <e'), 'text ');
  assert.equal(watch.push('x'), '<ex');
  assert.equal(watch.push('<<en'), '<');
  assert.equal(watch.end(), '<en');
});
