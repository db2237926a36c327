/** Live transcription by the real service: recordings are spoken into it, 100 ms at a time. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { connect as connectSocket } from 'node:net';
import test from 'node:test';
import OpenAI from 'openai';
import { OpenAIRealtimeWS } from 'openai/realtime/ws';
import { writePcm } from '../src/audio/pcm-stream.ts';
import { sleep } from '../src/base/abort.ts';
import { wordErrors } from '../src/speech/word-error-rate.ts';
import { connectRealtime, type RealtimeClient, type ReceivedEvent } from '../test/server/realtime-client.ts';
import { form } from '../test/server/server-under-test.ts';
import { childProcessIds, eventually } from '../test/support/processes.ts';
import { percept, startPercept } from './support/command-line.ts';
import { NO_DESCRIPTION, openaiSchemas } from './support/openai-schemas.ts';
import { python, runScript } from './support/python.ts';
import { joined, samplesOf, silence, wav } from './support/recordings.ts';
import { serviceOfFile } from './support/service.ts';
import { librivox, missingWeights } from './support/weights.ts';

const MODEL = 'whisper-base-int8';
const SMALL_MODEL = 'whisper-tiny.en-int8';
const skip = await missingWeights(MODEL, SMALL_MODEL);
const recordings = skip === false ? await librivox() : [];
const sounds = await Promise.all(recordings.map(({ path }) => samplesOf(path)));
const service = serviceOfFile(skip, { env: { PERCEPT_QUEUE_MAX_DEPTH: '4' } });

const COMPLETED = 'conversation.item.input_audio_transcription.completed';
const DELTA = 'conversation.item.input_audio_transcription.delta';
const CHUNK_SAMPLES = 1600;

/** As a client speaks: 16 kHz, or 24 kHz by straight lines between the samples. */
async function speak(
  client: RealtimeClient,
  samples: Float32Array,
  { rate = 16_000, pauseMs = 0 }: { readonly rate?: number; readonly pauseMs?: number } = {},
): Promise<void> {
  const begun = performance.now();
  for (let at = 0, count = 1; at < samples.length; at += CHUNK_SAMPLES, count += 1) {
    const chunk = samples.subarray(at, at + CHUNK_SAMPLES);
    const pcm = writePcm(rate === 16_000 ? chunk : stretched(chunk, rate / 16_000));
    client.send({ type: 'input_audio_buffer.append', audio: Buffer.from(pcm).toString('base64') });
    // By the clock, as each wait is a little longer than it should be.
    await sleep(Math.max(0, begun + count * pauseMs - performance.now()));
  }
}

function stretched(samples: Float32Array, factor: number): Float32Array {
  return Float32Array.from({ length: Math.round(samples.length * factor) }, (_, index) => {
    const place = Math.min(index / factor, samples.length - 1);
    const before = samples[Math.floor(place)]!;
    return before + (samples[Math.ceil(place)]! - before) * (place - Math.floor(place));
  });
}

function setUp(client: RealtimeClient, input: object = {}): void {
  const audio = { input: { format: { type: 'audio/pcm', rate: 16_000 }, ...input } };
  client.send({ type: 'session.update', session: { type: 'transcription', audio } });
}

const completed = (client: RealtimeClient) => client.events.filter(({ type }) => type === COMPLETED);
/** However long it takes: the machine may be busy. */
const untilCompleted = (client: RealtimeClient, count: number) =>
  client.next(() => completed(client).length === count);
const textsOf = (client: RealtimeClient) => completed(client).map(({ transcript }) => String(transcript));

/** tiny.en mishears one of the eight words of one recording; what is proved here is whose text it is. */
function assertHeard(text: string, recording: number, most = 0.15): void {
  const { errors, words } = wordErrors(text, recordings[recording]!.reference);
  assert.ok(errors / words <= most, `${errors} of ${words} words differ: ${text}`);
}

test('every utterance has its text, in order, with its deltas and times', { skip }, async (t) => {
  for (const rate of [24_000, 16_000]) {
    const client = await connectRealtime(t, service().url, { query: `intent=transcription&model=${MODEL}` });
    setUp(client, { format: { type: 'audio/pcm', rate } });
    const { samples, startsSeconds } = joined(sounds, 1);
    await speak(client, samples, { rate });
    await untilCompleted(client, recordings.length);
    const items = completed(client).map(({ item_id }) => item_id);
    completed(client).forEach((event, index) => {
      assertHeard(String(event['transcript']), index);
      const mine = client.events.filter(({ item_id }) => item_id === items[index]);
      const deltas = mine.filter(({ type }) => type === DELTA).map(({ delta }) => String(delta));
      // They join to the text unless the last hearing knew better.
      assert.ok(deltas.length >= 1);
      const order = mine.map(({ type }) => type).filter((type) => type !== DELTA);
      assert.deepEqual(order, [
        'input_audio_buffer.speech_started',
        'input_audio_buffer.speech_stopped',
        'input_audio_buffer.committed',
        COMPLETED,
      ]);
      assert.equal(
        mine.find(({ type }) => type.endsWith('committed'))!['previous_item_id'],
        items[index - 1] ?? null,
      );
      const begin = Number(mine[0]!['audio_start_ms']);
      assert.ok(Math.abs(begin - startsSeconds[index]! * 1000) < 700, `${begin} ms`);
    });
    client.socket.close();
  }
});

test('without turn detection a text comes when the caller commits', { skip }, async (t) => {
  const client = await connectRealtime(t, service().url, { query: `model=${MODEL}` });
  setUp(client, { turn_detection: null });
  await speak(client, sounds[0]!);
  client.send({ type: 'input_audio_buffer.commit' });
  client.send({ type: 'input_audio_buffer.commit', event_id: 'nothing' });
  await speak(client, silence(2));
  client.send({ type: 'input_audio_buffer.commit' });
  await untilCompleted(client, 2);
  assertHeard(textsOf(client)[0]!, 0);
  assert.equal(textsOf(client)[1], '');
  const { error } = (await client.next('error')) as unknown as { error: { event_id: string } };
  assert.equal(error.event_id, 'nothing');
});

test('the text comes soon after the end of the speech', { skip }, async (t) => {
  const client = await connectRealtime(t, service().url, { query: `model=${SMALL_MODEL}` });
  setUp(client);
  await client.next('session.updated');
  const times: { text: number; afterStop: number }[] = [];
  for (const [index, sound] of sounds.slice(0, 3).entries()) {
    await speak(client, sound, { pauseMs: 100 });
    const endMs = performance.now();
    const speaking = speak(client, silence(1.5), { pauseMs: 100 });
    const isNth = (type: string) => (event: ReceivedEvent) =>
      event.type === type && client.events.filter((other) => other.type === type).indexOf(event) === index;
    await client.next(isNth('input_audio_buffer.speech_stopped'));
    const stoppedMs = performance.now();
    await client.next(isNth(COMPLETED));
    const completedMs = performance.now();
    times.push({ text: Math.round(completedMs - endMs), afterStop: Math.round(completedMs - stoppedMs) });
    await speaking;
  }
  const firstDelta = client.events.findIndex(({ type }) => type === DELTA);
  const firstStop = client.events.findIndex(({ type }) => type.endsWith('speech_stopped'));
  assert.ok(firstDelta < firstStop, 'a text begins before its speech ends');
  t.diagnostic(
    times
      .map(({ text, afterStop }) => `text ${text} ms after the sound, ${afterStop} ms after the stop`)
      .join('; '),
  );
  for (const { text } of times) assert.ok(text < 3000, `${text} ms after the sound`);
});

test('two sessions and a recording at once are each heard as alone', { skip }, async (t) => {
  const clients = await Promise.all(
    [0, 1].map(() => connectRealtime(t, service().url, { query: `model=${MODEL}` })),
  );
  for (const client of clients) setUp(client);
  const bytes = await readFile(recordings[4]!.path);
  const upload = fetch(`${service().url}/v1/audio/transcriptions`, {
    method: 'POST',
    body: form({ model: MODEL }, { bytes }),
  });
  await Promise.all(
    clients.map(async (client, index) => {
      await speak(client, joined([sounds[index]!, sounds[index + 2]!], 1).samples);
      await untilCompleted(client, 2);
    }),
  );
  clients.forEach((client, index) => {
    assertHeard(textsOf(client)[0]!, index);
    assertHeard(textsOf(client)[1]!, index + 2);
  });
  const { text } = (await (await upload).json()) as { text: string };
  assertHeard(text, 4);
});

test('a client that goes in the middle of an utterance frees its place, and the model goes on', {
  skip,
}, async (t) => {
  const leaving = await connectRealtime(t, service().url, { query: `model=${MODEL}` });
  setUp(leaving);
  await speak(leaving, sounds[0]!);
  await leaving.next('input_audio_buffer.speech_started');
  leaving.socket.terminate();
  await eventually(async () => (await service().health()).queueDepth === 0, 'the turn is given back');
  const next = await connectRealtime(t, service().url, { query: `model=${MODEL}` });
  setUp(next);
  await speak(next, joined([sounds[1]!], 1).samples);
  await untilCompleted(next, 1);
  assertHeard(textsOf(next)[0]!, 1);
});

const schemas = await openaiSchemas();
const SCHEMAS: Readonly<Record<string, string>> = {
  error: 'RealtimeServerEventError',
  'session.created': 'RealtimeServerEventSessionCreated',
  'session.updated': 'RealtimeServerEventSessionUpdated',
  'input_audio_buffer.speech_started': 'RealtimeServerEventInputAudioBufferSpeechStarted',
  'input_audio_buffer.speech_stopped': 'RealtimeServerEventInputAudioBufferSpeechStopped',
  'input_audio_buffer.committed': 'RealtimeServerEventInputAudioBufferCommitted',
  'input_audio_buffer.cleared': 'RealtimeServerEventInputAudioBufferCleared',
  [DELTA]: 'RealtimeServerEventConversationItemInputAudioTranscriptionDelta',
  [COMPLETED]: 'RealtimeServerEventConversationItemInputAudioTranscriptionCompleted',
  'conversation.item.input_audio_transcription.failed':
    'RealtimeServerEventConversationItemInputAudioTranscriptionFailed',
};

test("every event is one of OpenAI's description", { skip: NO_DESCRIPTION || skip }, async (t) => {
  const client = await connectRealtime(t, service().url, { query: `model=${SMALL_MODEL}` });
  // OpenAI knows one rate; 16 kHz is an addition.
  const openai = { format: { type: 'audio/pcm', rate: 24_000 } };
  setUp(client, openai);
  await speak(client, joined([sounds[1]!], 1).samples, { rate: 24_000 });
  await client.next(COMPLETED);
  // This model knows English only.
  setUp(client, { ...openai, transcription: { language: 'de' } });
  await speak(client, joined([sounds[1]!], 1).samples, { rate: 24_000 });
  await client.next('conversation.item.input_audio_transcription.failed');
  client.send({ type: 'input_audio_buffer.clear' });
  client.send({ type: 'nonsense' });
  await client.next('input_audio_buffer.cleared');
  await client.next('error');
  assert.deepEqual([...new Set(client.events.map(({ type }) => type))].sort(), Object.keys(SCHEMAS).sort());
  for (const event of client.events) {
    const validate = schemas!(SCHEMAS[event.type]!);
    assert.ok(validate(event), `${JSON.stringify(validate.errors)} in ${JSON.stringify(event)}`);
  }
});

test("OpenAI's own Node SDK holds a session", { skip }, async (t) => {
  const { url } = service();
  const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none' });
  // The SDK always asks for TLS, which a proxy in front would end; here the connection is plain.
  const { hostname, port } = new URL(url);
  const createConnection = () => connectSocket(Number(port), hostname);
  const realtime = new OpenAIRealtimeWS({ model: SMALL_MODEL, options: { createConnection } }, client);
  t.after(() => realtime.socket.terminate());
  const failed = new Promise<never>((_, reject) => realtime.on('error', reject));
  const until = <T>(event: Promise<T>) => Promise.race([event, failed]);
  const updated = new Promise((resolve) => realtime.on('session.updated', resolve));
  const transcript = new Promise<string>((resolve) => {
    realtime.on(COMPLETED, (event) => resolve(event.transcript));
  });
  const deltas: string[] = [];
  realtime.on(DELTA, ({ delta }) => deltas.push(delta ?? ''));
  await until(new Promise((resolve) => realtime.on('session.created', resolve)));
  realtime.send({
    type: 'session.update',
    session: {
      type: 'transcription',
      audio: {
        input: {
          format: { type: 'audio/pcm', rate: 24_000 },
          transcription: { model: MODEL, language: 'en' },
          turn_detection: { type: 'server_vad', silence_duration_ms: 400 },
        },
      },
    },
  });
  await until(updated);
  const pcm = Buffer.from(writePcm(stretched(joined([sounds[0]!], 1).samples, 1.5)));
  for (let at = 0; at < pcm.length; at += 4800)
    realtime.send({
      type: 'input_audio_buffer.append',
      audio: pcm.subarray(at, at + 4800).toString('base64'),
    });
  const text = await until(transcript);
  assertHeard(text, 0);
  assert.equal(deltas.join(''), text);
  realtime.close();
});

const interpreter = python();
const skipPython = interpreter === undefined ? 'PERCEPT_TEST_PYTHON names no interpreter' : skip;

test("OpenAI's own Python SDK holds a session", { skip: skipPython }, async (t) => {
  const [answer] = (await runScript('openai_realtime.py', interpreter!, [
    service().url,
    SMALL_MODEL,
    recordings[0]!.path,
  ])) as [{ skip: string } | { transcript: string; deltas: string }];
  if ('skip' in answer) return t.skip(answer.skip);
  assertHeard(answer.transcript, 0);
  assert.equal(answer.deltas, answer.transcript);
});

test('the command writes down what comes through a pipe, here and by a server', { skip }, async () => {
  const speech = joined(sounds.slice(0, 2), 1).samples;
  const live = ['transcribe', '--live', '-', '--json', '--model', MODEL];
  const runs = [
    await percept(live, {}, { input: wav(speech) }),
    await percept([...live, '--server', service().url], {}, { input: writePcm(speech) }),
  ];
  for (const { code, stdout, stderr } of runs) {
    assert.deepEqual([code, stderr], [0, '']);
    const lines = stdout.trim().split('\n');
    const utterances = lines.map((line) => JSON.parse(line) as { start: number; end: number; text: string });
    assert.equal(utterances.length, 2);
    utterances.forEach((utterance, index) => {
      assertHeard(utterance.text, index);
    });
    assert.ok(utterances[0]!.end < utterances[1]!.start);
  }
});

test('an interrupt ends the sound, and what was said is still written down', { skip }, async () => {
  const input = { input: writePcm(sounds[0]!), isEndless: true };
  const started = startPercept(['transcribe', '--live', '-', '--model', MODEL], {}, input);
  await eventually(() => childProcessIds(started.pid).length > 0, 'the model is there');
  // There is no sign of a sound that was heard and is still open.
  await sleep(3000);
  started.interrupt();
  const { code, stdout } = await started.ended;
  assert.equal(code, 0);
  assertHeard(stdout, 0);
});
