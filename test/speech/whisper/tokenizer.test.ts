import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { AppError } from '../../../src/base/errors.ts';
import { createTokenizer, type Tokenizer } from '../../../src/speech/whisper/tokenizer.ts';
import { packVocabulary, readVocabulary, unpackVocabulary } from '../../../src/speech/whisper/vocabulary.ts';

const directory = mkdtempSync(join(tmpdir(), 'percept-tokenizer-'));
after(() => rmSync(directory, { recursive: true }));

/** All bytes as GPT-2 writes them, then a few merges; ids follow the order. */
function writeTokenizer(merges: readonly (string | [string, string])[]): string {
  const bytes = Array.from({ length: 256 }, (_, byte) => byte);
  const isPrintable = (byte: number) =>
    (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
  let next = 256;
  const characters = bytes.map((byte) => String.fromCharCode(isPrintable(byte) ? byte : next++));
  const merged = merges.map((merge) => (typeof merge === 'string' ? merge.replace(' ', '') : merge.join('')));
  const vocab = Object.fromEntries([...characters, ...merged].map((token, id) => [token, id]));
  const path = join(directory, `tokenizer-${Math.random()}.json`);
  writeFileSync(path, JSON.stringify({ model: { vocab, merges } }));
  return path;
}

/** By way of the file that a conversion leaves. */
function tokenizerOf(path: string, specialFrom: number): Tokenizer {
  return createTokenizer(unpackVocabulary(packVocabulary(readVocabulary(path))), specialFrom);
}

const MERGES = ['h e', 'l l', 'he ll', 'hell o', 'Ġ w'];

test('pairs merge by rank, in the old and the new way of writing them', () => {
  for (const merges of [MERGES, MERGES.map((merge) => merge.split(' ') as [string, string])]) {
    const tokenizer = tokenizerOf(writeTokenizer(merges), 1000);
    assert.deepEqual(tokenizer.encode('hello w'), [259, 260]);
    assert.equal(tokenizer.decode([259, 260]), 'hello w');
  }
});

test('any text comes back as it was', () => {
  const tokenizer = tokenizerOf(writeTokenizer(MERGES), 1000);
  for (const text of ["it's  two\n\n spaces", 'Grüße, 東京! 🎉', '\u0000\u001f', 'a1b22', '']) {
    assert.equal(tokenizer.decode(tokenizer.encode(text)), text);
  }
});

test('pieces join to the text, each with the token that completes it', () => {
  const tokenizer = tokenizerOf(writeTokenizer(MERGES), 261);
  assert.deepEqual(tokenizer.pieces(tokenizer.encode('hello wé')), ['hello', ' w', '', 'é']);
  assert.deepEqual(tokenizer.pieces([259, 261, 260, 300]), ['hello', ' w']);
  assert.deepEqual(tokenizer.pieces([]), []);
  const bytes = Array.from({ length: 256 }, (_, byte) => tokenizer.encode('東')[byte % 3]! + (byte % 7));
  const mark = tokenizer.encode('\ufeff\ufeffa');
  for (const ids of [bytes, bytes.slice(3, 20), mark, tokenizer.encode('é').slice(0, 1)])
    assert.equal(tokenizer.pieces(ids).join(''), tokenizer.decode(ids));
});

test('special tokens are left out, and bytes that are no text become a replacement', () => {
  const tokenizer = tokenizerOf(writeTokenizer(MERGES), 261);
  assert.equal(tokenizer.decode([259, 261, 300]), 'hello');
  assert.equal(tokenizer.decode([tokenizer.encode('é')[0]!]), '\ufffd');
});

test('a prompt cannot spell a special token', () => {
  const tokenizer = tokenizerOf(writeTokenizer(MERGES), 261);
  assert.ok(tokenizer.encode('<|endoftext|>').every((id) => id < 261));
});

test('a file without an encoding is refused', () => {
  const path = join(directory, 'broken.json');
  writeFileSync(path, '{"model":{}}');
  const isUnsupported = (error: unknown) => error instanceof AppError && error.code === 'unsupported_model';
  assert.throws(() => readVocabulary(path), isUnsupported);
  writeFileSync(path, '{"model":{"vocab":{"a":0},"merges":["a b"]}}');
  assert.throws(() => readVocabulary(path), isUnsupported);
  writeFileSync(path, 'not json');
  assert.throws(() => readVocabulary(path), isUnsupported);
});
