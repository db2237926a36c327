import assert from 'node:assert/strict';
import test from 'node:test';
import { createExternal, estimateTokens } from '../../src/language/external.ts';

const user = (content: string) => [{ role: 'user' as const, content }];

test('tokens of an external model are guessed, rather too many', () => {
  // Counted by SmolLM2 and Gemma 3: 19 and 18 tokens of English; by Gemma 3, which knows the other languages, 21 of Vietnamese and 6 of Chinese.
  const english =
    'The committee will meet again next Thursday to decide who pays for the new bridge over the river.';
  const vietnamese = 'Ủy ban sẽ họp lại vào thứ Năm tuần tới để quyết định ai trả tiền cho cây cầu mới.';
  assert.ok(estimateTokens(user(english)) > 19 && estimateTokens(user(english)) < 4 * 19);
  assert.ok(estimateTokens(user(vietnamese)) > 21 && estimateTokens(user(vietnamese)) < 5 * 21);
  assert.ok(estimateTokens(user('委员会下周四开会。')) > 6);
  assert.ok(estimateTokens([...user('a'), ...user('a')]) > estimateTokens(user('aa')));
});

test('the context of an external model is the configured one', async () => {
  const source = createExternal(
    { complete: () => assert.fail('nothing is asked'), models: async () => [] },
    { model: 'm', settings: new Map(), contextTokens: 5000 },
  );
  const measured = await source.measure(
    { model: undefined, messages: user('Hello') },
    new AbortController().signal,
  );
  assert.deepEqual(measured, {
    promptTokens: estimateTokens(user('Hello')),
    contextTokens: 5000,
    isEstimate: true,
  });
});
