/** What the models hear, beside faster-whisper with the same weights and beside what was said. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import test, { after, type TestContext } from 'node:test';
import type { App } from '../src/app.ts';
import type { Recording } from '../src/cli/librivox.ts';
import type { SpeechRequest } from '../src/speech/service.ts';
import type { Transcript } from '../src/speech/transcript.ts';
import { wordErrors } from '../src/speech/word-error-rate.ts';
import { sharedFile } from '../test/support/shared-file.ts';
import { temporaryFolder } from '../test/support/temporary.ts';
import { sine } from '../test/support/wav.ts';
import { openApp } from './support/home.ts';
import { joined, SAMPLE_RATE, samplesOf, silence, wav, whiteNoise } from './support/recordings.ts';
import { assertSound } from './support/transcripts.ts';
import { librivox, missingWeights } from './support/weights.ts';

const BASE = 'whisper-base-int8';
const MODELS = [BASE, 'whisper-tiny.en-int8', 'whisper-base-float32'];
/** Words per hundred in which two ways to run the same weights may differ. */
const SAME_PERCENT = 2;
/** How far two timestamps of one word may lie apart: these models mostly give whole seconds within a window. */
const TIMESTAMP_SECONDS = 1;

const skip = await missingWeights(...MODELS);
const recordings: readonly Recording[] = skip === false ? [...(await librivox()), ...(await jfk())] : [];
let opened: App | undefined;
after(() => opened?.close({ timeoutMs: 0 }));

for (const model of MODELS) {
  test(`${model} hears what faster-whisper hears, and what was said`, { skip }, async (t) => {
    const golden = await goldenTexts(model);
    const found = await transcribeAll({ model });
    const fromPeer = rate(recordings.map(({ name }, at) => [golden[name]!, found[at]!.text]));
    // Where the peer misheard, to hear what was said is no fault.
    const fromEither = rate(
      recordings.map(({ name, reference }, at) => nearest([golden[name]!, reference], found[at]!.text)),
    );
    const fromReference = rate(recordings.map(({ reference }, at) => [reference, found[at]!.text]));
    t.diagnostic(
      `${fromPeer.toFixed(1)} % from faster-whisper, ${fromReference.toFixed(1)} % from the reference`,
    );
    assert.ok(
      fromEither <= SAME_PERCENT,
      `${fromEither} % of the words are neither faster-whisper's nor right`,
    );
    assert.ok(fromReference <= 10, `word error rate ${fromReference} %`);
    for (const transcript of found) assertSound(transcript);
  });
}

test('a beam of one hears the same within the word error rate', { skip }, async () => {
  const found = await transcribeAll({ model: BASE, beamSize: 1 });
  assert.ok(rate(recordings.map(({ reference }, at) => [reference, found[at]!.text])) <= 10);
  for (const transcript of found) assertSound(transcript);
});

test('translation into English of English speech is that speech', { skip }, async () => {
  const [{ path, reference }] = recordings as readonly [Recording];
  const transcript = await transcribe(path, { model: BASE, task: 'translate' });
  assert.equal(transcript.task, 'translate');
  assert.ok(rate([[reference, transcript.text]]) <= 15, transcript.text);
  assertSound(transcript);
});

const QUIET: Record<string, () => ArrayLike<number>> = {
  silence: () => silence(10),
  'faint white noise': () => whiteNoise(10, 0.001),
  'white noise': () => whiteNoise(10, 0.03),
  'loud white noise': () => whiteNoise(10, 0.5),
  'a tone of 440 Hz': () => sine(440, SAMPLE_RATE, 10 * SAMPLE_RATE),
};

for (const [name, make] of Object.entries(QUIET)) {
  test(`${name} is heard as nothing`, { skip }, async (t) => {
    const path = await written(t, make());
    for (const model of MODELS) {
      const { text, segments, durationSeconds } = await transcribe(path, { model });
      assert.deepEqual({ text, segments, durationSeconds }, { text: '', segments: [], durationSeconds: 10 });
    }
  });
}

test('a recording gives the same transcript every time', { skip }, async () => {
  const first = await transcribeAll({ model: BASE });
  const second = await transcribeAll({ model: BASE });
  assert.deepEqual(second.map(withoutTimings), first.map(withoutTimings));
});

test('recordings at once are heard as they are one at a time', { skip }, async () => {
  const alone = await transcribeAll({ model: BASE });
  const together = await Promise.all(recordings.map(({ path }) => transcribe(path, { model: BASE })));
  for (const [index, transcript] of together.entries()) assertSame(transcript, alone[index]!);
});

test('a window is heard alike alone and beside others in its batch', { skip }, async (t) => {
  const alone = await transcribeAll({ model: BASE });
  const parts = await Promise.all(recordings.map(({ path }) => samplesOf(path)));
  // Wider than what may lie within one window, so that each recording has windows of its own.
  const { samples, startsSeconds } = joined(parts, 4);
  const transcript = await transcribe(await written(t, samples), { model: BASE });
  assert.equal(rate([[alone.map(({ text }) => text).join(' '), transcript.text]]), 0, transcript.text);
  assertPlaces(transcript, { alone, startsSeconds });
});

test('recordings in a row keep their words and places, in whatever order they come', { skip }, async (t) => {
  const alone = await transcribeAll({ model: BASE });
  const parts = await Promise.all(recordings.map(({ path }) => samplesOf(path)));
  const natural = recordings.map((_, index) => index);
  const rotated = [...natural.slice(2), ...natural.slice(0, 2)];
  for (const order of [natural, natural.toReversed(), rotated]) {
    const { samples, startsSeconds } = joined(
      order.map((index) => parts[index]!),
      1,
    );
    const transcript = await transcribe(await written(t, samples), { model: BASE });
    const wanted = order.map((index) => alone[index]!);
    const difference = rate([[wanted.map(({ text }) => text).join(' '), transcript.text]]);
    assert.ok(difference <= SAME_PERCENT, `${difference} %: ${transcript.text}`);
    assertSound(transcript);
    assertPlaces(transcript, { alone: wanted, startsSeconds });
  }
});

test('without voice activity detection the words are the same', { skip }, async (t) => {
  const parts = await Promise.all(recordings.map(({ path }) => samplesOf(path)));
  const path = await written(t, joined(parts, 1).samples);
  const request = { model: BASE, vad: { enabled: false } };
  const transcript = await transcribe(path, request);
  assert.ok(rate([[recordings.map(({ reference }) => reference).join(' '), transcript.text]]) <= 10);
  assertSound(transcript);
});

test('the text before can be passed on, and the words are the same', { skip }, async (t) => {
  const parts = await Promise.all(recordings.map(({ path }) => samplesOf(path)));
  const path = await written(t, joined(parts, 1).samples);
  const app = openApp({ 'speech.condition_on_previous_text': true });
  t.after(() => app.close({ timeoutMs: 0 }));
  const transcript = await transcribe(path, { model: BASE }, app);
  assert.ok(rate([[recordings.map(({ reference }) => reference).join(' '), transcript.text]]) <= 10);
  assertSound(transcript);
});

test('a prompt guides spelling and adds no words', { skip }, async () => {
  const prompts = ['Jane Austen, Sense and Sensibility. Mr. John Dashwood.', 'A. B. C.', 'word '.repeat(400)];
  for (const prompt of prompts) {
    const found = await transcribeAll({ model: BASE, prompt });
    const difference = rate(recordings.map(({ reference }, at) => [reference, found[at]!.text]));
    assert.ok(difference <= 10, `${difference} % with ${prompt.slice(0, 20)}`);
    for (const transcript of found) assertSound(transcript);
  }
});

interface Places {
  /** What each part was heard as alone, in the order of the parts. */
  readonly alone: readonly Transcript[];
  readonly startsSeconds: readonly number[];
}

/** Some segment begins where each part's first words were heard alone, and some segment ends where its last were. */
function assertPlaces(transcript: Transcript, { alone, startsSeconds }: Places): void {
  const near = (key: 'startSeconds' | 'endSeconds', wanted: number) => {
    const found = transcript.segments.map((segment) => segment[key]);
    const message = `${key} ${wanted}, found ${found.join(', ')}`;
    assert.ok(
      found.some((seconds) => Math.abs(seconds - wanted) <= TIMESTAMP_SECONDS),
      message,
    );
  };
  for (const [place, start] of startsSeconds.entries()) {
    const { segments } = alone[place]!;
    near('startSeconds', start + segments.at(0)!.startSeconds);
    near('endSeconds', start + segments.at(-1)!.endSeconds);
  }
}

/** Words per hundred of the wanted texts in which the others differ. */
function rate(pairs: readonly (readonly [wanted: string, text: string])[]): number {
  const found = pairs.map(([wanted, text]) => wordErrors(wanted, text));
  const sum = (key: 'errors' | 'words') => found.reduce((total, one) => total + one[key], 0);
  return (100 * sum('errors')) / sum('words');
}

/** The wanted text that `text` differs from least, with it. */
function nearest(wanted: readonly string[], text: string): readonly [string, string] {
  const errors = (one: string) => wordErrors(one, text).errors;
  return [wanted.reduce((best, one) => (errors(one) < errors(best) ? one : best)), text];
}

/** Words, tokens and times are equal; the vocabulary's product may sum in another order, which probabilities show in their last digits. */
function assertSame(found: Transcript, wanted: Transcript): void {
  const exact = ({ text, segments }: Transcript) => ({
    text,
    segments: segments.map(({ avgLogprob: _, noSpeechProb: __, ...rest }) => rest),
  });
  assert.deepEqual(exact(found), exact(wanted));
  const probabilities = ({ languageProbability, segments }: Transcript) => [
    languageProbability,
    ...segments.flatMap(({ avgLogprob, noSpeechProb }) => [avgLogprob, noSpeechProb]),
  ];
  const others = probabilities(wanted);
  for (const [index, value] of probabilities(found).entries()) {
    assert.ok(Math.abs(value - others[index]!) < 1e-4, `${value} in place of ${others[index]}`);
  }
}

function withoutTimings({ timings: _, ...rest }: Transcript): object {
  return rest;
}

async function transcribeAll(request: Partial<SpeechRequest>): Promise<Transcript[]> {
  const found: Transcript[] = [];
  for (const { path } of recordings) found.push(await transcribe(path, request));
  return found;
}

function transcribe(path: string, request: Partial<SpeechRequest>, app = sharedApp()): Promise<Transcript> {
  const signal = new AbortController().signal;
  return app.speech.transcribe(path, { model: BASE, task: 'transcribe', ...request }, { signal });
}

function sharedApp(): App {
  opened ??= openApp();
  return opened;
}

async function written(t: TestContext, samples: ArrayLike<number>): Promise<string> {
  const path = join(await temporaryFolder(t), 'made.wav');
  await writeFile(path, wav(samples));
  return path;
}

async function jfk(): Promise<Recording[]> {
  const [path, words] = [sharedFile('audio/jfk.wav'), sharedFile('audio/jfk.txt')];
  if (path === undefined || words === undefined) return [];
  return [{ name: basename(path), path, reference: await readFile(words, 'utf8') }];
}

async function goldenTexts(model: string): Promise<Record<string, string>> {
  const path = new URL('../../test-models/fixtures/golden-texts.json', import.meta.url);
  return (JSON.parse(await readFile(path, 'utf8')) as Record<string, Record<string, string>>)[model]!;
}
