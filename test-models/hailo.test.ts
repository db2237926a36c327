/**
 * Whisper's pipeline for a Hailo device on real speech. The device is the stub library of the tests, which passes what is written to it on to the
 * fixed graphs of `support/fixed-whisper.ts`, run by ONNX Runtime at float32: everything but the chip and its quantisation is the product's own.
 */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { type App, createApp } from '../src/app.ts';
import { writePcm } from '../src/audio/pcm-stream.ts';
import { silentLogger } from '../src/base/logger.ts';
import type { Recording } from '../src/cli/librivox.ts';
import { loadConfig } from '../src/config/load.ts';
import type { LiveEvent, LiveInput } from '../src/speech/live.ts';
import type { SpeechRequest } from '../src/speech/service.ts';
import type { Transcript } from '../src/speech/transcript.ts';
import { DEFAULT_DETECTION } from '../src/speech/utterance-detector.ts';
import { wordErrors } from '../src/speech/word-error-rate.ts';
import { startPlayer } from '../test/support/hailo-player.ts';
import { compileBridgedStub, compileStub, whyNoBridge, whyNoStub } from '../test/support/stub-hailort.ts';
import { temporaryFolder } from '../test/support/temporary.ts';
import { type FixedShape, fixedWhisper } from './support/fixed-whisper.ts';
import { NO_CONFIG_FILE, openApp, ownHome, testEnvironment } from './support/home.ts';
import { joined, SAMPLE_RATE, samplesOf, wav } from './support/recordings.ts';
import { assertSound } from './support/transcripts.ts';
import { librivox, missingWeights } from './support/weights.ts';

/** How much worse than the CPU a fixed pipeline may hear, in words of a hundred (asked for in the issue of this backend). */
const WORSE_PERCENT = 5;

const skip = whyNoStub() || (await missingWeights('whisper-base-int8', 'whisper-tiny.en-int8'));

interface Case {
  readonly source: 'whisper-tiny.en' | 'whisper-base';
  readonly shape: FixedShape;
}

/** The shapes in which Hailo publishes them, with and without the positions inside. */
const CASES: readonly Case[] = [
  { source: 'whisper-tiny.en', shape: { seconds: 10, sequence: 32, hasPositions: true } },
  {
    source: 'whisper-tiny.en',
    shape: { seconds: 10, sequence: 32, hasPositions: true, architecture: 'HAILO10H' },
  },
  { source: 'whisper-base', shape: { seconds: 5, sequence: 24, hasPositions: false } },
  { source: 'whisper-base', shape: { seconds: 10, sequence: 64, hasPositions: true } },
];

for (const { source, shape } of CASES) {
  const { seconds, sequence, hasPositions, architecture } = shape;
  const isBridged = architecture === 'HAILO10H';
  const name = `${source} of ${seconds} s and ${sequence} tokens, positions ${hasPositions ? 'inside' : 'by the host'}${isBridged ? ', through the bridge' : ''}`;
  test(`${name}, hears within ${WORSE_PERCENT} points of the CPU`, {
    skip: skip || (isBridged && whyNoBridge()),
  }, async (t) => {
    const { transcribe, calls } = await stubbed(t, source, shape);
    const cpu = openApp();
    t.after(() => cpu.close({ timeoutMs: 0 }));
    let [words, here, there] = [0, 0, 0];
    for (const { path, reference } of await librivox()) {
      const found = await transcribe(path);
      assertSound(found);
      const expected = await cpu.speech.transcribe(path, request(`${source}-int8`), context(t));
      words += wordErrors(reference, found.text).words;
      here += wordErrors(reference, found.text).errors;
      there += wordErrors(reference, expected.text).errors;
    }
    t.diagnostic(`${here} errors by the fixed pipeline, ${there} by the CPU, in ${words} words`);
    assert.ok(
      here - there <= (WORSE_PERCENT / 100) * words,
      `${here} errors beside ${there} in ${words} words`,
    );
    assert.equal(calls().filter((line) => line === 'c++ create_infer_model').length, isBridged ? 2 : 0);
    assert.ok(!calls().some((line) => line.startsWith('MISUSE')));
  });
}

test('speech that is too much for the decoder is heard in shorter windows: no word is lost', {
  skip,
}, async (t) => {
  const { transcribe } = await stubbed(t, 'whisper-base', { seconds: 5, sequence: 24, hasPositions: true });
  const parts = await Promise.all((await librivox()).map(({ path }) => samplesOf(path)));
  const path = join(await temporaryFolder(t), 'joined.wav');
  await writeFile(path, wav(joined(parts, 0.2).samples));
  // Windows of 4.5 s with 19 words: whoever reads fast fills them.
  const found = await transcribe(path);
  assertSound(found);
  const reference = (await librivox()).map((recording) => recording.reference).join(' ');
  const { errors, words } = wordErrors(reference, found.text);
  assert.ok(errors / words <= 0.15, `${errors} errors in ${words} words: ${found.text}`);
});

test('without voice activity detection the whole is heard as well', { skip }, async (t) => {
  const { transcribe } = await stubbed(t, 'whisper-base', { seconds: 10, sequence: 64, hasPositions: true });
  const [first] = await librivox();
  const found = await transcribe(first!.path, { vad: { enabled: false } });
  assertSound(found);
  assert.ok(wordErrors(first!.reference, found.text).errors <= 2, found.text);
});

test('speech is heard live, each utterance with its text; a prompt ends the session with the reason', {
  skip,
}, async (t) => {
  const { app } = await stubbed(t, 'whisper-base', { seconds: 10, sequence: 64, hasPositions: true });
  const [first, second] = (await librivox()) as readonly [Recording, Recording];
  const sounds = await Promise.all([first, second].map(({ path }) => samplesOf(path)));
  const spoken = writePcm(joined(sounds, 1.5).samples);
  const live = { model: 'fixed', sampleRate: SAMPLE_RATE, detection: DEFAULT_DETECTION, language: 'en' };
  const texts: string[] = [];
  const onEvent = (event: LiveEvent) => {
    if (event.type === 'completed') texts.push(event.text);
  };
  async function* sound(prompt?: string): AsyncGenerator<LiveInput> {
    for (let at = 0; at < spoken.length; at += 3200)
      yield { type: 'audio', pcm: spoken.subarray(at, at + 3200) };
    if (prompt !== undefined) yield { type: 'configure', settings: { ...live, prompt } };
  }
  await app.speech.listen(sound(), live, { signal: t.signal, onEvent });
  const { errors, words } = wordErrors(`${first.reference} ${second.reference}`, texts.join(' '));
  assert.ok(errors / words <= 0.15, `${errors} of ${words} words: ${texts.join(' | ')}`);
  await assert.rejects(app.speech.listen(sound('Dashwood'), live, { signal: t.signal, onEvent }), {
    code: 'unsupported_parameter',
    param: 'prompt',
  });
});

test('the language is told by the decoder of the device', { skip }, async (t) => {
  const { transcribe } = await stubbed(t, 'whisper-base', { seconds: 10, sequence: 64, hasPositions: true });
  const found = await transcribe((await librivox())[0]!.path, { language: undefined });
  assert.equal(found.language, 'en');
  assert.ok(found.languageProbability > 0.8);
});

test('what a device cannot do is refused before anything is loaded', { skip }, async (t) => {
  const { transcribe, app } = await stubbed(t, 'whisper-base', {
    seconds: 10,
    sequence: 64,
    hasPositions: true,
  });
  const [{ path }] = (await librivox()) as readonly [Recording];
  await assert.rejects(transcribe(path, { wordTimestamps: true }), {
    code: 'unsupported_parameter',
    param: 'timestamp_granularities',
  });
  await assert.rejects(transcribe(path, { prompt: 'Names: Dashwood.' }), {
    code: 'unsupported_parameter',
    param: 'prompt',
  });
  assert.deepEqual((await app.engine.state()).models, []);
});

test('a Hailo-8 belongs to one model process at a time: two models take turns on it', { skip }, async (t) => {
  const { app, transcribe, importAs } = await stubbed(t, 'whisper-tiny.en', {
    seconds: 10,
    sequence: 32,
    hasPositions: true,
  });
  await importAs('second');
  const paths = (await librivox()).map(({ path }) => path);
  const texts = await Promise.all([
    transcribe(paths[0]!),
    app.speech.transcribe(paths[0]!, request('second'), context(t)),
    transcribe(paths[0]!),
  ]);
  assert.equal(new Set(texts.map(({ text }) => text)).size, 1);
  assert.equal((await app.engine.state()).models.length, 1);
});

interface Stubbed {
  readonly app: App;
  transcribe(path: string, changes?: Partial<SpeechRequest>): Promise<Transcript>;
  importAs(name: string): Promise<void>;
  /** Of the stub. */
  calls(): string[];
}

/** A Percept whose Hailo device is the stub, with the fixed model on it. */
async function stubbed(t: TestContext, source: string, shape: FixedShape): Promise<Stubbed> {
  const folder = await temporaryFolder(t);
  const bridged = shape.architecture === 'HAILO10H' ? await compileBridgedStub(t) : undefined;
  const stub = bridged ?? (await compileStub(t));
  const from = openApp();
  const { directory } = await from.store.require(source);
  await from.close({ timeoutMs: 0 });
  const fixed = await fixedWhisper(directory, join(folder, 'model'), shape);
  const player = await startPlayer(join(folder, 'player.sock'), fixed.networks);
  const home = await ownHome();
  const env = testEnvironment({
    ...stub.env,
    STUB_HAILORT_PLAYER: player.socketPath,
    PERCEPT_HOME: home.path,
  });
  const { config } = loadConfig({
    env,
    flags: {
      'hailo.library': stub.path,
      'hailo.bridge': bridged?.bridge ?? null,
      'hailo.timeout_seconds': 60,
    },
    configFile: NO_CONFIG_FILE,
  });
  const app = createApp({ config, env, logger: silentLogger });
  const names: string[] = [];
  const importAs = async (name: string) => {
    names.push(name);
    await app.store.import(name, fixed.directory);
  };
  t.after(async () => {
    await app.close({ timeoutMs: 0 });
    for (const name of names) await app.store.remove(name);
    await player.close();
    await fixed.close();
    await home.remove();
    assert.deepEqual(player.errors, []);
  });
  await importAs('fixed');
  return {
    app,
    calls: stub.log,
    importAs,
    transcribe: (path, changes) =>
      app.speech.transcribe(path, { ...request('fixed'), ...changes }, context(t)),
  };
}

function request(model: string): SpeechRequest {
  return { model, task: 'transcribe', language: 'en' };
}

function context(t: TestContext) {
  return { signal: t.signal };
}
