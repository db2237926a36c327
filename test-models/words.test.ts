/** When the models hear each word, beside faster-whisper with the same weights; and what always holds of words. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import test, { after, type TestContext } from 'node:test';
import type { App } from '../src/app.ts';
import type { SpeechRequest } from '../src/speech/service.ts';
import type { Transcript, Word } from '../src/speech/transcript.ts';
import { sharedFile } from '../test/support/shared-file.ts';
import { temporaryFile } from '../test/support/temporary.ts';
import { openApp } from './support/home.ts';
import { joined, samplesOf, silence, wav } from './support/recordings.ts';
import { librivox, missingWeights } from './support/weights.ts';

const BASE = 'whisper-base-int8';
const MODELS = [BASE, 'whisper-tiny.en-int8'];
const MEDIAN_SECONDS = 0.08;
/** No word that both hear lies further off. */
const MOST_SECONDS = 0.5;

const skip = await missingWeights(...MODELS);
const recordings = skip === false ? await librivox() : [];
let opened: App | undefined;
after(() => opened?.close({ timeoutMs: 0 }));

for (const model of MODELS) {
  test(`${model} hears each word when faster-whisper does`, { skip }, async (t) => {
    const golden = await goldenWords(model);
    const differences: number[] = [];
    let words = 0;
    for (const { name, path } of recordings) {
      const transcript = await transcribe(path, { model });
      assertWords(transcript);
      words += golden[name]!.length;
      differences.push(...differencesOf(golden[name]!, wordsOf(transcript)));
    }
    differences.sort((a, b) => a - b);
    const median = differences[differences.length >> 1]!;
    t.diagnostic(`median ${median.toFixed(3)} s, at most ${differences.at(-1)!.toFixed(3)} s`);
    assert.ok(differences.length >= 1.9 * words, `${differences.length} times of ${words} words compared`);
    assert.ok(median <= MEDIAN_SECONDS, `median difference ${median} s`);
    assert.ok(differences.at(-1)! <= MOST_SECONDS, `a difference of ${differences.at(-1)} s`);
  });
}

test('to ask for words changes no text', { skip }, async () => {
  for (const { path } of recordings) {
    const [plain, timed] = [await transcribe(path, { wordTimestamps: false }), await transcribe(path)];
    assert.deepEqual(
      timed.segments.map(({ text, tokens }) => [text, tokens]),
      plain.segments.map(({ text, tokens }) => [text, tokens]),
    );
    assert.ok(plain.segments.every(({ words }) => words === undefined));
  }
});

test('in a recording of several windows each word lies where it lies alone', { skip }, async (t) => {
  const parts = await Promise.all(
    [...recordings, ...recordings, ...recordings].map(({ path }) => samplesOf(path)),
  );
  // Wider than what may lie within one window, so that each part has windows of its own.
  const { samples, startsSeconds } = joined(parts, 3);
  const transcript = await transcribe(await temporaryFile(t, 'joined.wav', wav(samples)));
  assert.ok(transcript.durationSeconds > 60);
  assertWords(transcript);
  const alone: Transcript[] = [];
  for (const { path } of recordings) alone.push(await transcribe(path));
  const wanted = startsSeconds.flatMap((start, place) =>
    wordsOf(alone[place % recordings.length]!).map(
      ({ text, startSeconds, endSeconds }): Golden => [text, start + startSeconds, start + endSeconds],
    ),
  );
  const differences = differencesOf(wanted, wordsOf(transcript)).sort((a, b) => a - b);
  assert.ok(differences.length >= 1.9 * wanted.length, `${differences.length} times compared`);
  // A window begins a little before its speech, wherever a frame of the detector begins.
  assert.ok(differences[Math.floor(differences.length * 0.9)]! <= MEDIAN_SECONDS, String(differences));
});

const REQUESTS: Record<string, Partial<SpeechRequest>> = {
  'with a beam of one': { beamSize: 1 },
  'at a temperature': { temperature: 0.8 },
  'without voice activity detection': { vad: { enabled: false } },
  'with a prompt': { prompt: 'Jane Austen, Sense and Sensibility.' },
  'in a translation': { task: 'translate' },
  // One temperature: what looks wrong here is wrong at all of them.
  'heard as Chinese': { language: 'zh', temperature: 0.2 },
  'heard as Japanese': { language: 'ja', temperature: 0.2 },
  'translated from Japanese': { language: 'ja', task: 'translate' },
};

for (const [name, request] of Object.entries(REQUESTS)) {
  test(`words join to their segments and stay in order ${name}`, { skip }, async (t) => {
    // Heard as another language every window fails, which takes long.
    const heard = request.language === undefined ? recordings : recordings.slice(0, 1);
    const parts = await Promise.all(heard.map(({ path }) => samplesOf(path)));
    const path = await temporaryFile(t, 'joined.wav', wav(joined(parts, 1).samples));
    const transcript = await transcribe(path, request);
    assertWords(transcript);
    assert.ok(wordsOf(transcript).length > 5, transcript.text);
  });
}

test('another voice is heard with words in order', {
  skip: sharedFile('audio/jfk.wav') === undefined ? 'the recording is not on this machine' : skip,
}, async () => {
  for (const model of MODELS) assertWords(await transcribe(sharedFile('audio/jfk.wav')!, { model }));
});

test('silence has no words', { skip }, async (t: TestContext) => {
  const { segments } = await transcribe(await temporaryFile(t, 'silence.wav', wav(silence(5))));
  assert.deepEqual(segments, []);
});

/** Text, start and end. */
type Golden = readonly [text: string, startSeconds: number, endSeconds: number];

/** Words join to the text of their segment, follow one another, and lie within the segment and the recording. */
function assertWords({ segments, durationSeconds }: Transcript): void {
  let last = 0;
  for (const { text, words = [], startSeconds, endSeconds } of segments) {
    assert.equal(words.map((word) => word.text).join(''), text);
    assert.ok(last <= startSeconds && endSeconds <= durationSeconds, `${text} ${startSeconds} ${endSeconds}`);
    for (const word of words) {
      assert.notEqual(word.text.trim(), '');
      assert.ok(last <= word.startSeconds && word.startSeconds <= word.endSeconds, JSON.stringify(word));
      assert.ok(startSeconds <= word.startSeconds && word.endSeconds <= endSeconds, JSON.stringify(word));
      last = word.endSeconds;
    }
  }
}

/** Of the starts and ends of the words that both have, which stand in the same order. */
function differencesOf(golden: readonly Golden[], words: readonly Word[]): number[] {
  const differences: number[] = [];
  let next = 0;
  for (const [text, startSeconds, endSeconds] of golden) {
    const found = words.findIndex((word, index) => index >= next && letters(word.text) === letters(text));
    // A word that was heard otherwise must not let a later one of the same text stand for it.
    if (found < 0 || found > next + 3) continue;
    next = found + 1;
    const word = words[found]!;
    differences.push(Math.abs(word.startSeconds - startSeconds), Math.abs(word.endSeconds - endSeconds));
  }
  return differences;
}

function letters(text: string): string {
  return text.toLowerCase().replaceAll(/[^\p{L}\p{N}]/gu, '');
}

function wordsOf({ segments }: Transcript): Word[] {
  return segments.flatMap(({ words = [] }) => words);
}

function transcribe(path: string, request: Partial<SpeechRequest> = {}): Promise<Transcript> {
  opened ??= openApp();
  const wanted = { model: BASE, task: 'transcribe', wordTimestamps: true, ...request } as const;
  return opened.speech.transcribe(path, wanted, { signal: new AbortController().signal });
}

async function goldenWords(model: string): Promise<Record<string, readonly Golden[]>> {
  const path = new URL('../../test-models/fixtures/golden-words.json', import.meta.url);
  return (JSON.parse(await readFile(path, 'utf8')) as Record<string, Record<string, Golden[]>>)[model]!;
}
