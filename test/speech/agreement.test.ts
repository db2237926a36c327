import assert from 'node:assert/strict';
import test from 'node:test';
import { createAgreement } from '../../src/speech/agreement.ts';

/** The deltas of successive hearings, the last of them the final text. */
function deltas(...hearings: string[]): string[] {
  const agreement = createAgreement();
  const last = hearings.pop()!;
  return [...hearings.map((text) => agreement.hear(text)), agreement.finish(last)];
}

test('only what two hearings agree on is given, and the deltas join to the final text', () => {
  const found = deltas(
    'And Mr.',
    'And Mr. John had',
    'And Mr. John Dashwood had.',
    'And Mr. John Dashwood had then lei',
    'And Mr. John Dashwood had then leisure to consider.',
  );
  assert.deepEqual(found, ['', 'And Mr.', ' John', ' Dashwood had', ' then leisure to consider.']);
  assert.equal(found.join(''), 'And Mr. John Dashwood had then leisure to consider.');
});

test('a short utterance comes whole', () => {
  assert.deepEqual(deltas('Yes.'), ['Yes.']);
});

test('a word that is still being spoken is not given', () => {
  assert.deepEqual(
    deltas('He was not ill', 'He was not ill-disposed', 'He was not ill-disposed.').slice(0, 2),
    ['', 'He was not ill'],
  );
  assert.deepEqual(deltas('the dis', 'the disposed', 'the disposed man').slice(0, 2), ['', 'the']);
});

test('a hearing that takes back what was given adds nothing, and the next that agrees does', () => {
  assert.deepEqual(
    deltas('one two', 'one two three', 'won two three', 'one two three four', 'one two three four'),
    ['', 'one two', '', '', ' three four'],
  );
});

test('a final text that contradicts what was given adds nothing', () => {
  assert.deepEqual(deltas('one two', 'one two', 'won two'), ['', 'one two', '']);
});

test('languages without spaces are given word by word', () => {
  const found = deltas('私は学生', '私は学生です', '私は学生です。');
  assert.equal(found.join(''), '私は学生です。');
  assert.equal(found[1], '私は学生');
});
