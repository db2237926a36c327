import assert from 'node:assert/strict';
import test from 'node:test';
import { formatWordErrors, totalWordErrors, wordErrors } from '../../src/speech/word-error-rate.ts';

test('case, punctuation, hyphens and spelled-out abbreviations are no errors', () => {
  assert.deepEqual(wordErrors('mister smith is well known', 'Mr. Smith is "well-known"!'), {
    errors: 0,
    words: 5,
  });
});

test('a word that is wrong, missing or too many is one error each', () => {
  assert.equal(wordErrors('one two three', 'one too three').errors, 1);
  assert.equal(wordErrors('one two three', 'one three').errors, 1);
  assert.equal(wordErrors('one two three', 'one and two three').errors, 1);
  assert.deepEqual(wordErrors('', 'you'), { errors: 1, words: 0 });
});

test('texts together count by their words, and are shown with both numbers', () => {
  const total = totalWordErrors([
    { errors: 1, words: 1 },
    { errors: 0, words: 99 },
  ]);
  assert.deepEqual(total, { errors: 1, words: 100 });
  assert.equal(formatWordErrors(total), '1.00 % (1/100)');
  assert.equal(formatWordErrors({ errors: 2, words: 0 }), '(2/0)');
});
