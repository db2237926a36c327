import assert from 'node:assert/strict';
import test from 'node:test';
import { mergePunctuation, splitWords } from '../../../src/speech/whisper/word-split.ts';

function words(pieces: readonly string[], language = 'en'): string[] {
  return mergePunctuation(splitWords(pieces, language)).map(({ text }) => text);
}

test('a word begins at a space or a mark, and takes the tokens behind it', () => {
  assert.deepEqual(splitWords([' D', 'ash', 'wood', ' had', ' ill', '-', 'dis', 'posed', '.'], 'en'), [
    { text: ' Dashwood', tokens: 3 },
    { text: ' had', tokens: 1 },
    { text: ' ill', tokens: 1 },
    { text: '-disposed', tokens: 3 },
    { text: '.', tokens: 1 },
  ]);
});

test('the first token begins a word without a space', () => {
  assert.deepEqual(splitWords(['Str', 'aße'], 'de'), [{ text: 'Straße', tokens: 2 }]);
});

test('without spaces every token that completes a character is a word', () => {
  for (const language of ['zh', 'ja', 'th', 'lo', 'my', 'yue'])
    assert.deepEqual(splitWords(['東', '', '京', 'です'], language), [
      { text: '東', tokens: 1 },
      { text: '京', tokens: 2 },
      { text: 'です', tokens: 1 },
    ]);
  assert.deepEqual(splitWords(['東', '', '京', 'です'], 'ko'), [{ text: '東京です', tokens: 4 }]);
});

test('tokens that complete nothing at the end count for the last word', () => {
  assert.deepEqual(splitWords([' a', ' b', ''], 'en'), [
    { text: ' a', tokens: 1 },
    { text: ' b', tokens: 2 },
  ]);
  assert.deepEqual(splitWords([], 'en'), []);
});

const MERGED: Record<string, { pieces: string[]; words: string[]; language?: string }> = {
  'closing marks go to the word before them': {
    pieces: [' Yes', ',', ' he', ' said', '.', '"'],
    words: [' Yes,', ' he', ' said."'],
  },
  'opening marks go to the word behind them': {
    pieces: [' he', ' "', 'No', ' (', 'not', ' yet', ')', '!'],
    words: [' he', ' "No', ' (not', ' yet)!'],
  },
  'several opening marks go together': { pieces: [' (', ' "', 'a'], words: [' ( "a'] },
  'a mark without a space before it does not open': { pieces: [' a', '-', 'b'], words: [' a', '-b'] },
  'an opening mark at the end stays alone': { pieces: [' a', ' ('], words: [' a', ' ('] },
  'marks of scripts without spaces go with their words': {
    pieces: ['你', '好', '，', '世', '界', '。'],
    words: ['你', '好，', '世', '界。'],
    language: 'zh',
  },
  'space alone is no word': { pieces: [' ', 'a', '\n', 'b', ' '], words: [' a', '\nb '] },
};

for (const [name, { pieces, words: expected, language }] of Object.entries(MERGED)) {
  test(name, () => {
    assert.deepEqual(words(pieces, language), expected);
    assert.equal(expected.join(''), pieces.join(''));
  });
}
