import assert from 'node:assert/strict';
import test from 'node:test';
import { timeRuns, type WordContext } from '../../../src/speech/whisper/word-times.ts';
import { noise } from '../../support/noise.ts';

/** A text's tokens are the indices of its pieces; 100 and above are timestamps. */
function contextOf(pieces: readonly string[], changes: Partial<WordContext> = {}): WordContext {
  return {
    pieces: (tokens) => tokens.filter((token) => token < 100).map((token) => pieces[token]!),
    language: 'en',
    spokenUntilSeconds: 0,
    limitSeconds: 30,
    ...changes,
  };
}

function run(tokens: readonly number[], startSeconds = 0, endSeconds = 30) {
  return { tokens: [100, ...tokens, 101], startSeconds, endSeconds };
}

/** Only texts and times, which are easier to read. */
function timed(...parameters: Parameters<typeof timeRuns>) {
  return timeRuns(...parameters).map(({ startSeconds, endSeconds, words }) => ({
    span: [startSeconds, endSeconds],
    words: words.map((word) => [word.text, word.startSeconds, word.endSeconds]),
  }));
}

test('a word lasts until the next one begins, and a segment from its first word to its last', () => {
  const context = contextOf([' one', ' tw', 'o', ' three', ' four']);
  const runs = [run([0, 1, 2], 0, 2), run([3, 4], 2, 4)];
  assert.deepEqual(timed(runs, [0.5, 1, 1.25, 1.5, 2, 2.5], context), [
    {
      span: [0.5, 1.5],
      words: [
        [' one', 0.5, 1],
        [' two', 1, 1.5],
      ],
    },
    {
      span: [1.5, 2.5],
      words: [
        [' three', 1.5, 2],
        [' four', 2, 2.5],
      ],
    },
  ]);
});

test('a word never spans two segments, even without a space between them', () => {
  const found = timed([run([0]), run([1, 2])], [0, 0.5, 1, 1.25], contextOf([' a', 'b', '.']));
  assert.deepEqual(
    found.map(({ words }) => words.map(([text]) => text)),
    [[' a'], ['b.']],
  );
});

test('a pause after a full stop belongs to neither sentence', () => {
  const pieces = [' a', ' b', '.', ' c', ' d', ' e'];
  const [found] = timed([run([0, 1, 2, 3, 4, 5])], [0, 0.25, 0.5, 0.75, 5, 5.25, 5.5], contextOf(pieces));
  assert.deepEqual(
    found!.words.map(([text, start, end]) => [text, start, end]),
    [
      [' a', 0, 0.25],
      [' b.', 0.25, 0.5],
      [' c', 4.5, 5],
      [' d', 5, 5.25],
      [' e', 5.25, 5.5],
    ],
  );
});

test('a first word after a pause is not longer than twice the usual', () => {
  const pieces = [' a', ' b', ' c', ' d'];
  const [found] = timed([run([0, 1, 2, 3])], [0, 4, 4.25, 4.5, 4.75], contextOf(pieces));
  assert.deepEqual(found!.words[0], [' a', 3.5, 4]);
  assert.deepEqual(found!.span, [3.5, 4.75]);
});

test('a last word that reaches far over the timestamp of its segment ends there', () => {
  const pieces = [' a', ' b', ' c', ' d'];
  const [found] = timed([run([0, 1, 2, 3], 0, 1.25)], [0, 0.25, 0.5, 0.75, 4], contextOf(pieces));
  assert.deepEqual(found!.words.at(-1), [' d', 0.75, 1.25]);
  assert.deepEqual(found!.span, [0, 1.25]);
});

test('no word lies before the speech that came before, or behind the limit', () => {
  const context = contextOf([' a', ' b', ' c'], { spokenUntilSeconds: 0.25, limitSeconds: 0.9 });
  assert.deepEqual(timed([run([0, 1, 2])], [0, 0.5, 0.75, 1.5], context)[0], {
    span: [0.25, 0.9],
    words: [
      [' a', 0.25, 0.5],
      [' b', 0.5, 0.75],
      [' c', 0.75, 0.9],
    ],
  });
});

test('whatever the tokens and their times, words join to their text and times never decrease', () => {
  const pieces = [' a', 'b', '.', ' "', '', 'é', ' ', ',', ' word', '?'];
  for (let seed = 1; seed <= 300; seed += 1) {
    const values = [...noise(60, seed)].map((value) => (value + 1) / 2);
    const tokens = values.slice(0, 20).map((value) => Math.floor(value * 9.99));
    const starts = values.slice(20, 41).map((value) => Math.floor(value * 400) / 20);
    const [cutA = 0, cutB = 0] = [values[41]! * 20, values[42]! * 20].sort((a, b) => a - b).map(Math.floor);
    const runs = [tokens.slice(0, cutA), tokens.slice(cutA, cutB), tokens.slice(cutB)]
      .filter((part) => part.some((token) => pieces[token] !== ''))
      .map((part, index) => run(part, index * 5, index * 5 + 5));
    const count = runs.reduce((sum, { tokens: own }) => sum + own.length - 2, 0);
    const times = starts.sort((a, b) => a - b).slice(0, count + 1);
    const limitSeconds = 5 + values[43]! * 15;
    const context = contextOf(pieces, { limitSeconds, spokenUntilSeconds: values[44]! * 4 - 2 });
    let last = Math.max(0, context.spokenUntilSeconds);
    for (const [index, { words, startSeconds, endSeconds }] of timeRuns(runs, times, context).entries()) {
      assert.equal(words.map(({ text }) => text).join(''), context.pieces(runs[index]!.tokens).join(''));
      assert.deepEqual([startSeconds, endSeconds], [words[0]!.startSeconds, words.at(-1)!.endSeconds]);
      for (const word of words) {
        assert.ok(last <= word.startSeconds && word.startSeconds <= word.endSeconds, `seed ${seed}`);
        assert.ok(word.endSeconds <= limitSeconds);
        last = word.endSeconds;
      }
    }
  }
});
