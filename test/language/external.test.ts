import assert from 'node:assert/strict';
import test from 'node:test';
import { createExternal, estimateTokens } from '../../src/language/external.ts';

const user = (content: string) => [{ role: 'user' as const, content }];

test('tokens of an external model are guessed, rather too many', () => {
  // Counted with the tokenizers of SmolLM2 and Gemma 3: 21 and 21 for the English, 33 and 22 for the Vietnamese sentence, without a template.
  const english =
    'The committee will meet again next Thursday to decide who pays for the new bridge over the river.';
  const vietnamese = 'Ủy ban sẽ họp lại vào thứ Năm tuần tới để quyết định ai trả tiền cho cây cầu mới.';
  assert.ok(estimateTokens(user(english)) > 21 && estimateTokens(user(english)) < 3 * 21);
  assert.ok(estimateTokens(user(vietnamese)) > 33 && estimateTokens(user(vietnamese)) < 3 * 33);
  assert.ok(estimateTokens(user('委员会下周四开会。')) > 9);
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
