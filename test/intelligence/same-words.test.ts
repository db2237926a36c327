import assert from 'node:assert/strict';
import test from 'node:test';
import { changedWords } from '../../src/intelligence/same-words.ts';

const SAID =
  'so um we we will go to the the market tomorrow and buy three apples i think that is all for today';

function isKept(said: string, written: string, language = 'en'): boolean {
  return changedWords(said, written, language) === undefined;
}

test('punctuation, case and the spelling of one word as two are free', () => {
  assert.ok(isKept('every one knows its late', 'Everyone knows it’s late!'));
  assert.ok(isKept('xin chào các bạn', 'Xin chào, các bạn.', 'vi'));
  assert.ok(isKept('你好世界今天很好', '你好，世界。今天很好。', 'zh'));
  assert.ok(isKept(SAID, SAID));
});

test('hesitations and words said twice in a row may go', () => {
  assert.ok(
    isKept(SAID, 'So we will go to the market tomorrow and buy three apples. I think that is all for today.'),
  );
  assert.ok(isKept('嗯你好世界', '你好，世界。', 'zh'));
  assert.ok(isKept('we go we go home', 'We go home.'));
});

test('a hesitation of one language is a word in another', () => {
  assert.ok(isKept('um it is two', 'It is two.', 'en'));
  assert.ok(!isKept('um zwei uhr', 'Zwei Uhr.', 'de'));
});

test('no word is added or replaced, not even one', () => {
  const changes: [string, string][] = [
    ['we will go to the market', 'We will not go to the market.'],
    ['we will go to the market', 'We shall go to the market.'],
    ['we will go to the market', 'Here is the text: We will go to the market.'],
    ['it costs fifteen', 'It costs 15.'],
    ['it costs 1 5', 'It costs 15.'],
    ['it costs 1.5 million', 'It costs 15 million.'],
    ['it costs 5', 'It costs $5.'],
    ['we go home', '**We** go home.'],
    ['what is two and two', 'Four.'],
    ['', 'Thank you.'],
  ];
  for (const [said, written] of changes) assert.ok(!isKept(said, written), written);
});

test('of long parts three words in a hundred may be missing, of short ones none', () => {
  const words = Array.from(
    { length: 100 },
    (_, index) => `word${String.fromCharCode(97 + (index % 26), 97 + Math.floor(index / 26))}`,
  );
  const without = (count: number) =>
    words.filter((_, index) => index % 30 !== 5 || index >= 30 * count).join(' ');
  assert.ok(isKept(words.join(' '), without(3)));
  assert.ok(!isKept(words.join(' '), without(4)));
  assert.ok(!isKept('we will not go to the market', 'We will go to the market.'));
  assert.ok(!isKept('we will go', ''));
});

test('nothing goes that turns a sentence or counts, however long the part', () => {
  const filler = Array.from({ length: 100 }, (_, i) => `word${String.fromCharCode(97 + (i % 26))}x`).join(
    ' ',
  );
  for (const [said, written] of [
    [`we will not sign ${filler}`, `We will sign ${filler}.`],
    [`we don't sign ${filler}`, `We sign ${filler}.`],
    [`call five five two ${filler}`, `Call five two ${filler}.`],
    [`call 5 5 2 ${filler}`, `Call 5 2 ${filler}.`],
    [`without him ${filler}`, `Him ${filler}.`],
  ] as const)
    assert.match(changedWords(said, written, 'en') ?? 'nothing', /^it leaves out/, written);
  assert.equal(changedWords(`so we sign ${filler}`, `We sign ${filler}.`, 'en'), undefined);
  assert.match(
    changedWords(`also wir ${filler}`, `Wir ${filler}.`, 'de') ?? 'nothing',
    /^it leaves out "also"/,
  );
});

test('what is wrong is told in words that can be mended', () => {
  assert.equal(changedWords('we will go', 'We will not go.', 'en'), 'it has "not" where nothing was said.');
  assert.equal(changedWords('we will go', 'We shall go.', 'en'), 'it has "shall" where "will" was said.');
  assert.equal(changedWords('we will not go', 'We will go.', 'en'), 'it leaves out "not".');
});
