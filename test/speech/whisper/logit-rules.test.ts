import assert from 'node:assert/strict';
import test from 'node:test';
import { createLogitRules } from '../../../src/speech/whisper/logit-rules.ts';
import { favour, outputOf, TOKENS } from './decoder-outputs.ts';

const T0 = TOKENS.firstTimestamp;
const END = TOKENS.endOfText;
const rules = createLogitRules(TOKENS, 8);

function best(logits: readonly number[], sampled: readonly number[], count = 3): number[] {
  return rules.best({ output: outputOf([logits], 4), index: 0 }, sampled, count).map(({ token }) => token);
}

test('a text begins with a timestamp, whatever the words weigh', () => {
  assert.ok(best(favour(3), [], 5).every((token) => token >= T0));
});

test('where texts have no times any word may come first, and no time ever', () => {
  const without = createLogitRules(TOKENS, 0);
  for (const sampled of [[], [3], [3, 4]]) {
    const found = without.best({ output: outputOf([favour(T0 + 1, 5, END)], 4), index: 0 }, sampled, 4);
    assert.deepEqual(found[0]!.token, 5);
    assert.ok(found.every(({ token }) => token < T0));
    assert.ok(Math.abs(found.reduce((sum, { logprob }) => sum + Math.exp(logprob), 0) - 1) < 1e-3);
  }
});

test('after an opening timestamp comes a word', () => {
  assert.deepEqual(best(favour(T0 + 2, 4), [T0], 1), [4]);
});

test('after a closing timestamp comes a timestamp that is not earlier, or the end', () => {
  const allowed = best(favour(4, T0 + 1, END), [T0, 5, T0 + 3], 10);
  assert.deepEqual(
    allowed.sort((a, b) => a - b),
    [END, T0 + 3, T0 + 4, T0 + 5, T0 + 6, T0 + 7],
  );
});

test('a segment does not end when it began', () => {
  const stamps = best(favour(5), [T0 + 2, 5], 20).filter((token) => token >= T0);
  assert.ok(stamps.every((token) => token > T0 + 2));
});

test('timestamps that together outweigh every word leave no word', () => {
  const logits = favour(5);
  logits[5] = 1;
  for (let stamp = T0 + 1; stamp < T0 + 8; stamp += 1) logits[stamp] = 0.5;
  assert.ok(best(logits, [T0, 5], 10).every((token) => token >= T0));
});

test('probabilities of the allowed tokens sum to one', () => {
  const candidates = rules.best({ output: outputOf([favour(4, 7)], 11), index: 0 }, [T0], 19);
  const sum = candidates.reduce((total, { logprob }) => total + Math.exp(logprob), 0);
  assert.ok(Math.abs(sum - 1) < 1e-6, `sum is ${sum}`);
});

test('no timestamp lies past the end of the window', () => {
  const short = createLogitRules(TOKENS, 3);
  const stamps = short
    .best({ output: outputOf([favour(T0 + 7)], 1), index: 0 }, [], 10)
    .map(({ token }) => token);
  assert.deepEqual(
    stamps.sort((a, b) => a - b),
    [T0, T0 + 1, T0 + 2],
  );
});

test('a draw obeys the rules and follows the distribution', () => {
  let state = 1;
  const random = () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
  const logits = favour();
  logits[4] = Math.log(3);
  logits[6] = 0;
  logits[T0 + 1] = 9;
  const counts = new Map<number, number>();
  const output = outputOf([logits.map((value) => (value === -4 ? -30 : value))], 2);
  for (let draw = 0; draw < 4000; draw += 1) {
    const { token } = rules.draw({ output, index: 0 }, [T0], { temperature: 1, random });
    counts.set(token, (counts.get(token) ?? 0) + 1);
  }
  assert.equal(counts.get(T0 + 1), undefined);
  assert.ok(Math.abs(counts.get(4)! / 4000 - 0.75) < 0.03, `drawn ${counts.get(4)} of 4000`);
});
