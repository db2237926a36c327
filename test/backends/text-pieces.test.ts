import assert from 'node:assert/strict';
import test from 'node:test';
import { createPieces } from '../../src/backends/text-pieces.ts';

/** Tokens are bytes. */
const pieces = () => createPieces((tokens) => Buffer.from(tokens).toString('utf8'));

test('a character of several tokens comes when it is whole', () => {
  const { push, end } = pieces();
  const got = [...Buffer.from('aé😀b')].map(push);
  assert.deepEqual(got, ['a', '', 'é', '', '', '', '😀', 'b']);
  assert.equal(end(), '');
});

test('bytes that are no character are not held for ever, and the rest comes at the end', () => {
  const { push, end } = pieces();
  assert.equal(Array.from({ length: 8 }, () => push(0x80)).join(''), '\ufffd'.repeat(8));
  assert.equal(push(0xf0), '');
  assert.equal(end(), '\ufffd');
  assert.equal(end(), '');
});
