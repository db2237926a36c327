import assert from 'node:assert/strict';
import test from 'node:test';
import { cutText, pausesOf } from '../../src/intelligence/cut-text.ts';

const words = (text: string) => text.split(/\s+/).filter(Boolean).length;
const byWords = (room: number, pauses: readonly number[] = []) => ({
  room,
  pauses,
  countTokens: async (text: string) => words(text),
});

test('what fits is one part', async () => {
  assert.deepEqual(await cutText('One two. Three.', byWords(3)), ['One two. Three.']);
  assert.deepEqual(await cutText('', byWords(3)), ['']);
});

test('parts join to the text, fit, and end where sentences do', async () => {
  const text = Array.from({ length: 60 }, (_, index) => `This is sentence number ${index} of all. `).join('');
  const parts = await cutText(text, byWords(50));
  assert.equal(parts.join(''), text);
  for (const part of parts) {
    assert.ok(words(part) <= 50);
    assert.match(part, /^This .*\. $/);
  }
  assert.ok(parts.length <= 12, `${parts.length} parts of at least 9`);
});

test('without sentences it is cut at pauses, then between words, then between characters', async () => {
  const pieces = Array.from({ length: 20 }, () => ({ text: ' one two three four' }));
  const spoken = pieces
    .map(({ text }) => text)
    .join('')
    .trim();
  const atPauses = await cutText(spoken, byWords(22, pausesOf(pieces)));
  assert.equal(atPauses.join(''), spoken);
  for (const part of atPauses) assert.match(part, /four$/);
  const atWords = await cutText(spoken, byWords(21));
  assert.equal(atWords.join(''), spoken);
  for (const part of atWords) assert.doesNotMatch(part, /^[a-z]*(?<!one|two|three|four) /);
  const symbols = '😀'.repeat(100);
  const count = async (text: string) => Array.from(text).length;
  const cut = await cutText(symbols, { room: 30, pauses: [], countTokens: count });
  assert.equal(cut.join(''), symbols);
  for (const part of cut) assert.ok(!/\p{Surrogate}/u.test(part) && Array.from(part).length <= 30);
});

test('a language without spaces is cut between its words', async () => {
  const text = '我们明天去市场买三个苹果'.repeat(20);
  const parts = await cutText(text, { room: 50, pauses: [], countTokens: async (part) => part.length });
  assert.equal(parts.join(''), text);
  for (const part of parts) assert.ok(part.length <= 50);
});

test('what cannot be cut so small is an error with a remedy', async () => {
  await assert.rejects(cutText('ab', { room: 5, pauses: [], countTokens: async () => 6 }), {
    code: 'context_exceeded',
    message: /language\.context_tokens/,
  });
});
