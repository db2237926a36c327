import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import test from 'node:test';
import { AppError } from '../../src/base/errors.ts';
import type { LiveInput, LiveRequest } from '../../src/speech/live.ts';
import type { SpeechService } from '../../src/speech/service.ts';
import { createGate } from '../support/gate.ts';
import { eventually } from '../support/processes.ts';
import { connectRealtime } from './realtime-client.ts';
import { form, startServer } from './server-under-test.ts';

const KEY = 'a-key-of-the-tests';
/** A tenth of a second at 24 kHz. */
const CHUNK = Buffer.alloc(4800, 1);

const append = (pcm: Uint8Array, fields: object = {}) => ({
  type: 'input_audio_buffer.append',
  audio: Buffer.from(pcm).toString('base64'),
  ...fields,
});
const update = (input: object) => ({
  type: 'session.update',
  session: { type: 'transcription', audio: { input } },
});

/** A session that keeps what it is given. */
function recorder() {
  const inputs: LiveInput[] = [];
  const requests: LiveRequest[] = [];
  let isOver = false;
  const listen: SpeechService['listen'] = async (input, request) => {
    requests.push(request);
    for await (const one of input) inputs.push(one);
    isOver = true;
  };
  return { inputs, requests, listen, isOver: () => isOver };
}

test('a session begins with its settings, and an update changes what it names', async (t) => {
  const { listen, requests, inputs } = recorder();
  const { url } = await startServer(t, { listen });
  const client = await connectRealtime(t, url);
  const created = await client.next('session.created');
  const session = created['session'] as Record<string, unknown>;
  assert.match(String(session['id']), /^sess_[0-9a-f]+$/);
  assert.ok((session['expires_at'] as number) * 1000 > Date.now());
  assert.deepEqual(session['audio'], {
    input: {
      format: { type: 'audio/pcm', rate: 24_000 },
      transcription: { model: 'whisper-1' },
      turn_detection: {
        type: 'server_vad',
        threshold: 0.5,
        prefix_padding_ms: 300,
        silence_duration_ms: 500,
      },
    },
  });
  client.send(
    update({
      format: { type: 'audio/pcm', rate: 16_000 },
      transcription: { model: 'whisper-base-int8', language: 'en', prompt: 'Dashwood' },
      turn_detection: { type: 'server_vad', silence_duration_ms: 200 },
    }),
  );
  const updated = await client.next('session.updated');
  assert.deepEqual((updated['session'] as { audio: object }).audio, {
    input: {
      format: { type: 'audio/pcm', rate: 16_000 },
      transcription: { model: 'whisper-base-int8', language: 'en', prompt: 'Dashwood' },
      turn_detection: {
        type: 'server_vad',
        threshold: 0.5,
        prefix_padding_ms: 300,
        silence_duration_ms: 200,
      },
    },
  });
  assert.deepEqual(requests, [], 'no model is taken before there is audio');
  client.send(append(CHUNK));
  client.send(update({ turn_detection: null }));
  client.send({ type: 'input_audio_buffer.commit', event_id: 'mine' });
  await eventually(() => inputs.length === 3, 'all has come');
  assert.deepEqual(requests, [
    {
      model: 'whisper-base-int8',
      language: 'en',
      prompt: 'Dashwood',
      sampleRate: 16_000,
      detection: { threshold: 0.5, prefixMs: 300, silenceMs: 200 },
    },
  ]);
  assert.deepEqual(
    inputs.map(({ type }) => type),
    ['audio', 'configure', 'commit'],
  );
  const [audio, configure, commit] = inputs;
  assert.ok(audio?.type === 'audio' && CHUNK.equals(audio.pcm));
  assert.ok(configure?.type === 'configure' && configure.settings.detection === undefined);
  assert.ok(commit?.type === 'commit' && commit.ref === 'mine');
});

test('what the model says comes in the words of OpenAI', async (t) => {
  const { url } = await startServer(t, {
    async listen(input, _request, { onEvent }) {
      onEvent({ type: 'started', utterance: 0, atMs: 120 });
      onEvent({ type: 'delta', utterance: 0, text: 'Hello' });
      onEvent({ type: 'stopped', utterance: 0, atMs: 1900 });
      onEvent({ type: 'committed', utterance: 0, previous: undefined });
      onEvent({ type: 'completed', utterance: 0, text: 'Hello there.', seconds: 1.4 });
      onEvent({ type: 'committed', utterance: 1, previous: 0 });
      onEvent({
        type: 'failed',
        utterance: 1,
        error: { code: 'invalid_request', message: 'No.', param: 'language' },
      });
      onEvent({ type: 'cleared' });
      onEvent({ type: 'refused', ref: 'mine' });
      for await (const _ of input);
    },
  });
  const client = await connectRealtime(t, url);
  client.send(append(CHUNK));
  await client.next('error');
  const ids = client.events.map(({ event_id }) => event_id);
  assert.equal(new Set(ids).size, ids.length);
  const item = String(client.events.find(({ type }) => type.endsWith('speech_started'))!['item_id']);
  const second = `${item.slice(0, -1)}1`;
  assert.deepEqual(
    client.events.slice(1).map(({ event_id: _, ...event }) => event),
    [
      { type: 'input_audio_buffer.speech_started', audio_start_ms: 120, item_id: item },
      {
        type: 'conversation.item.input_audio_transcription.delta',
        item_id: item,
        content_index: 0,
        delta: 'Hello',
      },
      { type: 'input_audio_buffer.speech_stopped', audio_end_ms: 1900, item_id: item },
      { type: 'input_audio_buffer.committed', item_id: item, previous_item_id: null },
      {
        type: 'conversation.item.input_audio_transcription.completed',
        item_id: item,
        content_index: 0,
        transcript: 'Hello there.',
        usage: { type: 'duration', seconds: 1.4 },
      },
      { type: 'input_audio_buffer.committed', item_id: second, previous_item_id: item },
      {
        type: 'conversation.item.input_audio_transcription.failed',
        item_id: second,
        content_index: 0,
        error: { type: 'invalid_request_error', code: 'invalid_request', message: 'No.', param: 'language' },
      },
      { type: 'input_audio_buffer.cleared' },
      {
        type: 'error',
        error: {
          type: 'invalid_request_error',
          code: 'invalid_request',
          message:
            'There is nothing to commit: no audio since the last commit, or with turn detection no speech.',
          param: null,
          event_id: 'mine',
        },
      },
    ],
  );
});

const WRONG: readonly {
  name: string;
  message: object | string | Uint8Array;
  param?: string;
  says: RegExp;
}[] = [
  { name: 'no JSON', message: '{"type":', says: /not JSON/ },
  { name: 'no object', message: 'null', says: /The event is not valid/ },
  { name: 'a list', message: '[]', says: /The event is not valid/ },
  { name: 'no type', message: {}, param: 'type', says: /Expected one of session.update/ },
  {
    name: 'an unknown type',
    message: { type: 'response.create' },
    param: 'type',
    says: /Unknown event type/,
  },
  { name: 'an unknown field', message: { type: 'input_audio_buffer.clear', x: 1 }, says: /"x"/ },
  { name: 'no audio', message: { type: 'input_audio_buffer.append' }, param: 'audio', says: /"audio"/ },
  {
    name: 'audio that is no text',
    message: { type: 'input_audio_buffer.append', audio: 7 },
    param: 'audio',
    says: /string/,
  },
  {
    name: 'wrong base64',
    message: { type: 'input_audio_buffer.append', audio: 'AAA*' },
    param: 'audio',
    says: /not base64/,
  },
  {
    name: 'base64 that is cut off',
    message: { type: 'input_audio_buffer.append', audio: 'AAAAA' },
    param: 'audio',
    says: /not base64/,
  },
  { name: 'half a sample', message: append(Buffer.alloc(3)), param: 'audio', says: /3 bytes.*even/ },
  {
    name: 'half a sample in a binary frame',
    message: Buffer.alloc(5),
    param: 'audio',
    says: /5 bytes.*even/,
  },
  {
    name: 'an id that is too long',
    message: { type: 'input_audio_buffer.clear', event_id: 'x'.repeat(513) },
    param: 'event_id',
    says: /event_id/,
  },
  {
    name: 'another kind of session',
    message: { type: 'session.update', session: { type: 'realtime' } },
    param: 'session.type',
    says: /transcription/,
  },
  {
    name: 'a rate that is not served',
    message: update({ format: { type: 'audio/pcm', rate: 44_100 } }),
    param: 'session.audio.input.format.rate',
    says: /24000 or 16000/,
  },
  {
    name: 'a format that is not served',
    message: update({ format: { type: 'audio/pcmu' } }),
    param: 'session.audio.input.format.type',
    says: /audio\/pcm/,
  },
  {
    name: 'semantic turn detection',
    message: update({ turn_detection: { type: 'semantic_vad' } }),
    param: 'session.audio.input.turn_detection.type',
    says: /server_vad/,
  },
  {
    name: 'a threshold above 1',
    message: update({ turn_detection: { type: 'server_vad', threshold: 2 } }),
    param: 'session.audio.input.turn_detection.threshold',
    says: /<=1/,
  },
  {
    name: 'an unknown setting',
    message: update({ colour: 'red' }),
    param: 'session.audio.input',
    says: /colour/,
  },
  {
    name: 'noise reduction',
    message: update({ noise_reduction: { type: 'near_field' } }),
    param: 'session.audio.input.noise_reduction',
    says: /not available/,
  },
  {
    name: 'log probabilities',
    message: {
      type: 'session.update',
      session: { type: 'transcription', include: ['item.input_audio_transcription.logprobs'] },
    },
    param: 'session.include.0',
    says: /not available/,
  },
];

for (const { name, message, param, says } of WRONG) {
  test(`${name} is told of, and the session goes on`, async (t) => {
    const { listen, inputs } = recorder();
    const { url } = await startServer(t, { listen });
    const client = await connectRealtime(t, url);
    client.send(message);
    const { error } = (await client.next('error')) as unknown as { error: Record<string, unknown> };
    assert.deepEqual(
      [error['type'], error['code'], error['param']],
      ['invalid_request_error', 'invalid_request', param ?? null],
    );
    assert.match(String(error['message']), says);
    client.send(append(CHUNK));
    await eventually(() => inputs.length === 1, 'audio is heard');
  });
}

test("an error names the client's own event", async (t) => {
  const { url } = await startServer(t);
  const client = await connectRealtime(t, url);
  client.send({ type: 'nonsense', event_id: 'number 7' });
  const { error } = (await client.next('error')) as unknown as { error: { event_id: string } };
  assert.equal(error.event_id, 'number 7');
});

test('an unknown model is refused by an update, and the session keeps its own', async (t) => {
  const { listen, requests } = recorder();
  const { url } = await startServer(t, { listen });
  const client = await connectRealtime(t, url, { query: 'model=whisper-base-int8' });
  client.send(update({ transcription: { model: 'nonsense' } }));
  const { error } = (await client.next('error')) as unknown as { error: { code: string } };
  assert.equal(error.code, 'model_not_found');
  client.send(append(CHUNK));
  await eventually(() => requests.length === 1, 'the model listens');
  assert.equal(requests[0]!.model, 'whisper-base-int8');
  client.send(update({ transcription: { model: 'whisper-1' } }));
  const refusal = await client.next(
    ({ error }) => (error as { code?: string } | undefined)?.code === 'invalid_request',
  );
  assert.match(
    String((refusal['error'] as { message: string }).message),
    /cannot change once audio was sent/,
  );
});

test('a message of 10 MB ends the session', async (t) => {
  const { url, turns } = await startServer(t);
  const client = await connectRealtime(t, url);
  client.send('x'.repeat(10 * 1024 ** 2));
  assert.equal(await client.closed, 1009);
  await eventually(() => turns.given === 1, 'the turn is given back');
});

test('audio that waits too long to be heard ends the session with audio_backlog', async (t) => {
  let isGone = false;
  const options = { realtime: { idleTimeoutMs: 20_000, maxDurationMs: 20_000, maxBacklogSeconds: 1 } };
  const { url, turns } = await startServer(t, {
    options,
    async listen(_input, _request, { signal }) {
      await once(signal, 'abort');
      isGone = true;
    },
  });
  const client = await connectRealtime(t, url);
  for (let count = 0; count < 11; count += 1) client.send(append(CHUNK));
  const { error } = (await client.next('error')) as unknown as { error: { code: string; type: string } };
  assert.deepEqual([error.code, error.type], ['audio_backlog', 'rate_limit_error']);
  assert.equal(await client.closed, 1008);
  await eventually(() => isGone && turns.given === 1, 'the work has ended and the turn is given back');
});

test('audio that is heard leaves the backlog', async (t) => {
  const { listen, inputs } = recorder();
  const options = { realtime: { idleTimeoutMs: 20_000, maxDurationMs: 20_000, maxBacklogSeconds: 1 } };
  const { url } = await startServer(t, { listen, options });
  const client = await connectRealtime(t, url);
  for (let count = 1; count <= 30; count += 1) {
    client.send(append(CHUNK));
    await eventually(() => inputs.length === count, 'the chunk is heard');
  }
  assert.equal(client.socket.readyState, client.socket.OPEN);
});

test('a client that goes in the middle of an utterance frees everything', async (t) => {
  const heard = createGate();
  let reason: unknown;
  const { url, turns } = await startServer(t, {
    async listen(input, _request, { signal, onEvent }) {
      signal.addEventListener('abort', () => {
        reason = signal.reason;
      });
      for await (const _ of input) {
        onEvent({ type: 'started', utterance: 0, atMs: 0 });
        heard.open();
      }
      // An event after the end concerns nobody.
      onEvent({ type: 'stopped', utterance: 0, atMs: 1 });
    },
  });
  const client = await connectRealtime(t, url);
  client.send(append(CHUNK));
  await heard.opened;
  assert.deepEqual(turns, { taken: 1, given: 0 });
  client.socket.terminate();
  await eventually(() => turns.given === 1, 'the turn is given back');
  assert.ok(reason instanceof AppError && reason.code === 'cancelled');
});

test('a session that nobody uses is closed, and so is one that lasts too long', async (t) => {
  const limits = { idleTimeoutMs: 20_000, maxDurationMs: 20_000, maxBacklogSeconds: 60 };
  const idle = await startServer(t, { options: { realtime: { ...limits, idleTimeoutMs: 50 } } });
  const long = await startServer(t, { options: { realtime: { ...limits, maxDurationMs: 50 } } });
  for (const [{ url }, code, close] of [
    [idle, 'timeout', 1011],
    [long, 'audio_too_long', 1008],
  ] as const) {
    const client = await connectRealtime(t, url);
    const { error } = (await client.next('error')) as unknown as { error: { code: string } };
    assert.equal(error.code, code);
    assert.equal(await client.closed, close);
  }
});

test('an error of the model is told of, without the inside of a fault of ours, and ends the session', async (t) => {
  for (const [thrown, code, says] of [
    [new AppError('model_crashed', 'The process ended.'), 'model_crashed', /The process ended/],
    [new TypeError('secret detail'), 'internal', /^The server failed/],
  ] as const) {
    const { url, turns } = await startServer(t, {
      listen: async () => {
        throw thrown;
      },
    });
    const client = await connectRealtime(t, url);
    client.send(append(CHUNK));
    const { error } = (await client.next('error')) as unknown as { error: { code: string; message: string } };
    assert.equal(error.code, code);
    assert.match(error.message, says);
    assert.equal(await client.closed, 1011);
    await eventually(() => turns.given === 1, 'the turn is given back');
  }
});

test('a server that stops says so', async (t) => {
  const { url, app } = await startServer(t);
  const client = await connectRealtime(t, url);
  const stopped = app.close();
  const { error } = (await client.next('error')) as unknown as { error: { code: string } };
  assert.equal(error.code, 'shutting_down');
  assert.equal(await client.closed, 1001);
  await stopped;
});

test('a key is taken from a header or from the subprotocol of browsers, and is not sent back', async (t) => {
  const { url, log } = await startServer(t, { options: { apiKeys: [KEY] } });
  const bearer = await connectRealtime(t, url, { headers: { authorization: `Bearer ${KEY}` } });
  await bearer.next('session.created');
  const browser = await connectRealtime(t, url, {
    protocols: ['realtime', `openai-insecure-api-key.${KEY}`],
  });
  await browser.next('session.created');
  assert.equal(browser.socket.protocol, 'realtime');
  await assert.rejects(connectRealtime(t, url), /401/);
  await assert.rejects(
    connectRealtime(t, url, { protocols: ['realtime', 'openai-insecure-api-key.wrong'] }),
    /401/,
  );
  assert.ok(!log.join('').includes(KEY));
});

test('what is wrong with the request is answered before the upgrade, and gives its turn back', async (t) => {
  const { url, turns } = await startServer(t);
  await assert.rejects(connectRealtime(t, url, { query: 'model=nonsense' }), /404/);
  await assert.rejects(connectRealtime(t, url, { query: 'intent=conversation' }), /400/);
  await eventually(() => turns.given === turns.taken, 'the turns are given back');
  const full = await startServer(t, { isFull: true });
  await assert.rejects(connectRealtime(t, full.url), /429/);
  const plain = await fetch(`${url}/v1/realtime`);
  assert.equal(plain.status, 400);
  assert.match(JSON.stringify(await plain.json()), /is a WebSocket/);
});

test('a broken handshake is refused, and gives its turn back', async (t) => {
  const { url, turns } = await startServer(t);
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.write('GET /v1/realtime HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n');
  assert.match(await text(socket), /^HTTP\/1.1 400 /);
  assert.equal(turns.taken, 1);
  await eventually(() => turns.given === 1, 'the turn is given back');
});

test('a client that reads nothing is cut off', async (t) => {
  const { url, turns } = await startServer(t, {
    async listen(input, _request, { onEvent, signal }) {
      for await (const _ of input) {
        while (!signal.aborted) {
          onEvent({ type: 'delta', utterance: 0, text: 'x'.repeat(10_000) });
          await new Promise((resolve) => setImmediate(resolve));
        }
      }
    },
  });
  const client = await connectRealtime(t, url);
  client.socket.pause();
  client.send(append(CHUNK));
  await eventually(() => turns.given === 1, 'the connection is gone');
});

test('a request that offers another protocol, or a WebSocket elsewhere, is answered as if it had not', async (t) => {
  const { url } = await startServer(t);
  const { hostname, port } = new URL(url);
  const ask = async (path: string, upgrade: string, body = '', type = 'text/plain') => {
    const socket = connect(Number(port), hostname);
    socket.write(
      `${body === '' ? 'GET' : 'POST'} ${path} HTTP/1.1\r\nhost: x\r\nconnection: upgrade, close\r\nupgrade: ${upgrade}\r\n` +
        `content-type: ${type}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    );
    return text(socket);
  };
  assert.match(await ask('/health', 'h2c'), /^HTTP\/1.1 200 /);
  assert.match(await ask('/health', 'websocket'), /^HTTP\/1.1 200 /);
  const response = new Response(form({ model: 'whisper-1' }));
  const type = response.headers.get('content-type')!;
  const answer = await ask('/v1/audio/transcriptions', 'h2c', await response.text(), type);
  assert.match(answer, /^HTTP\/1.1 200 .*Hello there/s);
});

test('a binary frame is raw audio', async (t) => {
  const { listen, inputs } = recorder();
  const { url } = await startServer(t, { listen });
  const client = await connectRealtime(t, url);
  client.send(CHUNK);
  await eventually(() => inputs.length === 1, 'the chunk is heard');
  assert.ok(inputs[0]?.type === 'audio' && CHUNK.equals(inputs[0].pcm));
});
