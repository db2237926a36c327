import assert from 'node:assert/strict';
import test from 'node:test';
import OpenAI, { APIError, BadRequestError, NotFoundError } from 'openai';
import { AppError } from '../../src/base/errors.ts';
import type { SpeechContext, SpeechService } from '../../src/speech/service.ts';
import type { TranscribeEvent } from '../../src/speech/transcript.ts';
import { createGate } from '../support/gate.ts';
import { type ErrorBody, form, startServer, TRANSCRIPT } from './server-under-test.ts';

const ROUTE = '/v1/audio/transcriptions';

/** What a model process sends for the fixed transcript. */
const EVENTS: readonly TranscribeEvent[] = [
  { type: 'started', durationSeconds: TRANSCRIPT.durationSeconds },
  { type: 'language', language: 'en', probability: 0.98 },
  ...TRANSCRIPT.segments.flatMap((segment) => [
    { type: 'segment', segment } as const,
    { type: 'progress', doneSeconds: segment.endSeconds } as const,
  ]),
];

const speak: SpeechService['transcribe'] = async (_path, _request, { onEvent }) => {
  for (const event of EVENTS) onEvent!(event);
  return TRANSCRIPT;
};

function sdk(url: string): OpenAI {
  return new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 0 });
}

function ask(url: string, model = 'whisper-1') {
  const file = new File(['some bytes'], 'speech.wav');
  return sdk(url).audio.transcriptions.create({ model, file, stream: true });
}

for (const response_format of ['json', 'text', undefined]) {
  test(`a stream of format ${response_format} is deltas that join to the text of the last event`, async (t) => {
    const { url, leftovers, turns } = await startServer(t, { transcribe: speak });
    const fields = { model: 'whisper-1', stream: 'true', ...(response_format && { response_format }) };
    const response = await fetch(url + ROUTE, { method: 'POST', body: form(fields) });
    assert.equal(response.status, 200);
    assert.match(response.headers.get('content-type')!, /^text\/event-stream/);
    assert.ok(response.headers.get('x-request-id'));
    const lines = (await response.text()).trimEnd().split('\n\n');
    const events = lines.map((line) => JSON.parse(/^data: (.*)$/.exec(line)![1]!));
    assert.deepEqual(events, [
      { type: 'transcript.text.delta', delta: 'Hello there.' },
      { type: 'transcript.text.delta', delta: ' Good bye.' },
      {
        type: 'transcript.text.done',
        text: TRANSCRIPT.text,
        usage: { type: 'tokens', input_tokens: 163, output_tokens: 6, total_tokens: 169 },
      },
    ]);
    assert.deepEqual(await leftovers(), []);
    assert.equal(turns.given, 1);
  });
}

test('the official SDK iterates a stream to its end', async (t) => {
  const { url } = await startServer(t, { transcribe: speak });
  let text = '';
  let done: string | undefined;
  for await (const event of await ask(url)) {
    if (event.type === 'transcript.text.delta') text += event.delta;
    if (event.type === 'transcript.text.done') done = event.text;
  }
  assert.equal(text, TRANSCRIPT.text);
  assert.equal(done, TRANSCRIPT.text);
});

test('a recording without speech is a stream of its last event alone', async (t) => {
  const silent = { ...TRANSCRIPT, text: '', segments: [] };
  const { url } = await startServer(t, { transcribe: async () => silent });
  const types: string[] = [];
  for await (const event of await ask(url)) types.push(event.type);
  assert.deepEqual(types, ['transcript.text.done']);
});

test('a delta arrives while the rest is still worked on', async (t) => {
  const work = createGate();
  const { url } = await startServer(t, {
    async transcribe(_path, _request, { onEvent }) {
      for (const event of EVENTS.slice(0, 3)) onEvent!(event);
      await work.opened;
      for (const event of EVENTS.slice(3)) onEvent!(event);
      return TRANSCRIPT;
    },
  });
  const deltas: string[] = [];
  for await (const event of await ask(url)) {
    if (event.type === 'transcript.text.delta') deltas.push(event.delta);
    work.open();
  }
  assert.deepEqual(deltas, ['Hello there.', ' Good bye.']);
});

test('what fails before the work begins is a plain error with its status', async (t) => {
  const { url } = await startServer(t, {
    async transcribe() {
      throw new AppError('unsupported_audio', 'This is not audio.', { param: 'file' });
    },
  });
  await assert.rejects(ask(url, 'nonsense'), NotFoundError);
  const response = await fetch(url + ROUTE, { method: 'POST', body: form({ model: 'm', stream: 'true' }) });
  assert.equal(response.status, 415);
  assert.equal(((await response.json()) as ErrorBody).error.code, 'unsupported_audio');
});

test('what fails in the middle is an error event, which the SDK throws, and the end', async (t) => {
  const { url, turns, leftovers } = await startServer(t, {
    async transcribe(_path, _request, { onEvent }) {
      for (const event of EVENTS.slice(0, 3)) onEvent!(event);
      throw new AppError('model_crashed', 'The model process ended.');
    },
  });
  const response = await fetch(url + ROUTE, {
    method: 'POST',
    body: form({ model: 'whisper-1', stream: 'true' }),
  });
  const [delta, error, ...rest] = (await response.text()).trimEnd().split('\n\n');
  assert.match(delta!, /Hello there/);
  assert.equal(
    error,
    'event: error\ndata: {"error":{"message":"The model process ended.","type":"server_error","param":null,"code":"model_crashed"}}',
  );
  assert.deepEqual(rest, []);
  const deltas: string[] = [];
  await assert.rejects(
    async () => {
      for await (const event of await ask(url)) deltas.push(event.type);
    },
    (thrown) => thrown instanceof APIError && /model process ended/.test(thrown.message),
  );
  assert.deepEqual(deltas, ['transcript.text.delta']);
  assert.deepEqual(await leftovers(), []);
  assert.equal(turns.taken, turns.given);
});

test('an unexpected failure in the middle says nothing of the inside', async (t) => {
  const { url, log } = await startServer(t, {
    async transcribe(_path, _request, { onEvent }) {
      onEvent!(EVENTS[0]!);
      throw new Error('secret of the inside');
    },
  });
  const response = await fetch(url + ROUTE, { method: 'POST', body: form({ model: 'm', stream: 'true' }) });
  const body = await response.text();
  assert.match(body, /"code":"internal"/);
  assert.doesNotMatch(body, /secret/);
  assert.match(log.join(''), /secret of the inside/);
});

test('a client that leaves a stream stops the work, and nothing is left', async (t) => {
  const stopped = createGate();
  const untilGone = (signal: AbortSignal) =>
    new Promise<never>((_resolve, reject) => {
      signal.addEventListener('abort', () => {
        stopped.open();
        reject(signal.reason);
      });
    });
  const { url, leftovers, turns } = await startServer(t, {
    transcribe(_path, _request, { signal, onEvent }: SpeechContext) {
      for (const event of EVENTS.slice(0, 3)) onEvent!(event);
      return untilGone(signal);
    },
  });
  for await (const event of await ask(url)) {
    assert.equal(event.type, 'transcript.text.delta');
    break;
  }
  await stopped.opened;
  while (turns.given < 1) await new Promise(setImmediate);
  while ((await leftovers()).length > 0) await new Promise(setImmediate);
  assert.equal((await fetch(`${url}/health`)).status, 200);
});

for (const response_format of ['srt', 'vtt', 'verbose_json'] as const) {
  test(`a stream of ${response_format} is refused`, async (t) => {
    const { url } = await startServer(t);
    const file = new File(['some bytes'], 'speech.wav');
    const create = sdk(url).audio.transcriptions.create({
      model: 'whisper-1',
      file,
      stream: true,
      response_format,
    } as never); // the SDK's types know better
    await assert.rejects(create, (thrown) => thrown instanceof BadRequestError && thrown.param === 'stream');
  });
}
