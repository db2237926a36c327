import assert from 'node:assert/strict';
import test from 'node:test';
import { createLogitRules } from '../../../src/speech/whisper/logit-rules.ts';
import { createSearch, type Method } from '../../../src/speech/whisper/search.ts';
import { favour, outputOf, TOKENS } from './decoder-outputs.ts';

const T0 = TOKENS.firstTimestamp;
const END = TOKENS.endOfText;
const rules = createLogitRules(TOKENS, 8);

/** Runs a search over a model whose next logits depend on the row's tokens. */
function run(
  method: Method,
  next: (tokens: readonly number[]) => number[],
  { maxTokens = 20, rowsAsked = [] as number[] } = {},
) {
  const search = createSearch(method, { rules, endOfText: END, firstTimestamp: T0, maxTokens });
  let rows: number[][] = [[]];
  for (let step = 0; step < 50; step += 1) {
    const output = outputOf(rows.map(next), 8);
    const advance = search.advance(rows.map((_, index) => ({ output, index })));
    if (advance === undefined) return search.best();
    assert.equal(advance.tokens.length, advance.parents.length);
    rowsAsked.push(advance.tokens.length);
    rows = advance.parents.map((parent, row) => [...rows[parent]!, advance.tokens[row]!]);
  }
  throw new Error('The search did not end.');
}

/** A garden path: word 1 looks better than word 2 at first, but leads to nothing likely. */
function gardenPath(tokens: readonly number[]): number[] {
  const logits = new Array<number>(19).fill(-20);
  if (tokens.length === 0) logits[T0] = 0;
  else if (tokens.length === 1) [logits[1], logits[2]] = [0.2, 0];
  else if (tokens.at(-1) === 1) for (let word = 3; word < 9; word += 1) logits[word] = 0;
  else logits[END] = 0;
  return logits;
}

test('greedy search takes the likeliest token at every step', () => {
  assert.deepEqual(run({ kind: 'beam', size: 1 }, gardenPath, { maxTokens: 3 }).tokens, [T0, 1, 3]);
});

test('a beam finds the likelier text behind a less likely first word', () => {
  assert.deepEqual(run({ kind: 'beam', size: 3 }, gardenPath).tokens, [T0, 2]);
});

test('a hypothesis far behind the best is given up, and the rows with it', () => {
  const after = (behind: number) => (so: readonly number[]) => {
    const logits = new Array<number>(19).fill(-20);
    if (so.length === 0) logits[T0] = 0;
    else if (so.length === 1) [logits[1], logits[2]] = [0, -behind];
    else logits[so.length < 4 ? 3 : END] = 0;
    return logits;
  };
  const rowsOfBoth: number[] = [];
  run({ kind: 'beam', size: 3 }, after(1), { rowsAsked: rowsOfBoth });
  assert.deepEqual(rowsOfBoth, [1, 2, 2, 2]);
  const rowsOfOne: number[] = [];
  run({ kind: 'beam', size: 3 }, after(2), { rowsAsked: rowsOfOne });
  assert.deepEqual(rowsOfOne, [1, 1, 1, 1]);
});

test('a text that may have ended does not end one that may go on', () => {
  // After word 1 the end is a little likelier than word 2, but each word after that is almost certain.
  const next = (so: readonly number[]) => {
    const logits = new Array<number>(19).fill(-20);
    if (so.length === 0) logits[T0] = 0;
    else if (so.length === 1) logits[1] = 0;
    else if (so.length === 2) [logits[END], logits[2]] = [0.2, 0];
    else if (so.length < 40) [logits[3], logits[4]] = [0, -3];
    else logits[END] = 0;
    return logits;
  };
  assert.equal(run({ kind: 'beam', size: 2 }, next, { maxTokens: 60 }).tokens.length, 40);
});

test('of the times that may come next a hypothesis takes the likeliest', () => {
  const rowsAsked: number[] = [];
  const next = (so: readonly number[]) => (so.length === 0 ? favour(T0, T0 + 1, T0 + 2) : favour(END));
  const { tokens } = run({ kind: 'beam', size: 3 }, next, { rowsAsked });
  assert.deepEqual([tokens, rowsAsked], [[T0], [1]]);
});

test('the log probability of a text is the sum of its steps, the end included', () => {
  const { sumLogprob } = run({ kind: 'beam', size: 3 }, gardenPath);
  const expected = -Math.log(1 + Math.exp(0.2));
  assert.ok(Math.abs(sumLogprob - expected) < 1e-5, `${sumLogprob}, expected ${expected}`);
});

test('a text that never ends is cut at its longest length', () => {
  const { tokens } = run({ kind: 'beam', size: 1 }, (so) => (so.length === 0 ? favour(T0) : favour(3)), {
    maxTokens: 7,
  });
  assert.equal(tokens.length, 7);
});

test('draws are the same every time', () => {
  const method: Method = { kind: 'draw', temperature: 1, rows: 4 };
  const next = (so: readonly number[]) =>
    so.length === 0 ? favour(T0) : so.length > 4 ? favour(END) : favour(3, 4, 5);
  assert.deepEqual(run(method, next), run(method, next));
});
