import assert from 'node:assert/strict';
import { once } from 'node:events';
import { stat } from 'node:fs/promises';
import { Agent, type IncomingMessage, request } from 'node:http';
import test from 'node:test';
import { type ErrorBody, form, startServer, TRANSCRIPT } from './server-under-test.ts';

const ROUTE = '/v1/audio/transcriptions';

test('the five formats answer the transcript in their form', async (t) => {
  const { url } = await startServer(t);
  const ask = async (response_format: string) => {
    const response = await fetch(url + ROUTE, {
      method: 'POST',
      body: form({ model: 'whisper-1', response_format }),
    });
    assert.equal(response.status, 200);
    return { type: response.headers.get('content-type')!, body: await response.text() };
  };
  const json = await ask('json');
  assert.deepEqual(JSON.parse(json.body), { text: TRANSCRIPT.text, usage: { type: 'duration', seconds: 4 } });
  assert.equal((await ask('text')).body, `${TRANSCRIPT.text}\n`);
  assert.match((await ask('srt')).body, /^1\n00:00:00,000 --> 00:00:01,500\nHello there\.\n/);
  const vtt = await ask('vtt');
  assert.match(vtt.body, /^WEBVTT\n\n00:00:00\.000 --> /);
  assert.match(vtt.type, /^text\/vtt/);
  const verbose = JSON.parse((await ask('verbose_json')).body);
  assert.equal(verbose.language, 'english');
  assert.equal(verbose.duration, 3.25);
  assert.deepEqual(Object.keys(verbose.segments[0]), [
    'id',
    'seek',
    'start',
    'end',
    'text',
    'tokens',
    'temperature',
    'avg_logprob',
    'compression_ratio',
    'no_speech_prob',
  ]);
});

test('every field reaches the speech service', async (t) => {
  const { url, asked } = await startServer(t);
  const fields = {
    model: 'whisper-base-int8',
    language: 'de',
    prompt: 'Guten Tag',
    temperature: '0.4',
    beam_size: '3',
    keep_alive: '5m',
    response_format: 'verbose_json',
    'timestamp_granularities[]': ['segment'],
    chunking_strategy: '{"type":"server_vad","threshold":0.3,"silence_duration_ms":700}',
  };
  const response = await fetch(url + ROUTE, { method: 'POST', body: form(fields) });
  assert.equal(response.status, 200);
  assert.deepEqual(asked[0], {
    model: 'whisper-base-int8',
    task: 'transcribe',
    language: 'de',
    prompt: 'Guten Tag',
    temperature: 0.4,
    beamSize: 3,
    keepAliveSeconds: 300,
    vad: { enabled: true, threshold: 0.3, minSilenceMs: 700 },
    wordTimestamps: false,
  });
});

test('words and segments are answered as they are asked for', async (t) => {
  const segments = TRANSCRIPT.segments.map((segment) => ({
    ...segment,
    words: [{ text: segment.text, startSeconds: segment.startSeconds, endSeconds: segment.endSeconds }],
  }));
  const { url, asked } = await startServer(t, { transcribe: async () => ({ ...TRANSCRIPT, segments }) });
  const ask = async (...granularities: string[]) => {
    const fields = {
      model: 'whisper-1',
      response_format: 'verbose_json',
      'timestamp_granularities[]': granularities,
    };
    const response = await fetch(url + ROUTE, { method: 'POST', body: form(fields) });
    assert.equal(response.status, 200);
    return (await response.json()) as { words?: unknown; segments?: unknown[] };
  };
  const words = [
    { word: 'Hello there.', start: 0, end: 1.5 },
    { word: 'Good bye.', start: 1.5, end: 3.2 },
  ];
  const onlyWords = await ask('word');
  assert.deepEqual([onlyWords.words, onlyWords.segments], [words, undefined]);
  const both = await ask('segment', 'word');
  assert.deepEqual([both.words, both.segments!.length], [words, 2]);
  const onlySegments = await ask('segment');
  assert.deepEqual([onlySegments.words, onlySegments.segments!.length], [undefined, 2]);
  assert.deepEqual(
    asked.map(({ wordTimestamps }) => wordTimestamps),
    [true, true, false],
  );
});

test('an object may come as fields of its own, as OpenAI’s SDKs send it', async (t) => {
  const { url, asked } = await startServer(t);
  const send = (fields: Readonly<Record<string, string | readonly string[]>>) =>
    fetch(url + ROUTE, { method: 'POST', body: form({ model: 'whisper-1', ...fields }) });
  const fields = { 'chunking_strategy[type]': 'server_vad', 'chunking_strategy[threshold]': '0.3' };
  assert.equal((await send(fields)).status, 200);
  assert.deepEqual(asked[0]!.vad, { enabled: true, threshold: 0.3 });
  assert.equal((await send({ ...fields, chunking_strategy: 'auto' })).status, 400);
  assert.equal((await send({ ...fields, 'chunking_strategy[type]': ['server_vad', 'auto'] })).status, 400);
  assert.equal((await send({ ...fields, 'chunking_strategy[colour]': 'blue' })).status, 400);
});

test('translations are asked for as such', async (t) => {
  const { url, asked } = await startServer(t);
  await fetch(`${url}/v1/audio/translations`, { method: 'POST', body: form({ model: 'whisper-1' }) });
  assert.equal(asked[0]!.task, 'translate');
});

test('the short form counts words and answers seconds', async (t) => {
  const { url, asked } = await startServer(t);
  const response = await fetch(`${url}/transcribe`, {
    method: 'POST',
    body: form({ model_size: 'base', beam_size: '5' }, { field: 'audio' }),
  });
  const body = (await response.json()) as Record<string, unknown>;
  assert.deepEqual(Object.keys(body), [
    'text',
    'language',
    'language_probability',
    'duration',
    'word_count',
    'processing_time',
  ]);
  assert.equal(body['word_count'], 4);
  assert.equal(asked[0]!.model, 'base');
});

test('the upload is on disk while it is transcribed, for its owner only, and gone afterwards', async (t) => {
  let mode = 0;
  const { url, leftovers, turns } = await startServer(t, {
    async transcribe(path) {
      mode = (await stat(path)).mode & 0o777;
      return TRANSCRIPT;
    },
  });
  await fetch(url + ROUTE, { method: 'POST', body: form({ model: 'whisper-1' }) });
  assert.equal(mode, 0o600);
  assert.deepEqual(await leftovers(), []);
  assert.equal(turns.given, 1);
});

interface Refusal {
  readonly body: () => FormData;
  readonly status: number;
  readonly code: string;
  readonly param: string | null;
}

const model = 'whisper-1';
const many = Object.fromEntries(Array.from({ length: 2000 }, (_, index) => [`field${index}`, 'x']));
const REFUSALS: Record<string, Refusal> = {
  'an empty file': {
    body: () => form({ model }, { bytes: new Uint8Array() }),
    status: 400,
    code: 'invalid_request',
    param: 'file',
  },
  'a file over the limit': {
    body: () => form({ model }, { bytes: new Uint8Array(70_000) }),
    status: 413,
    code: 'file_too_large',
    param: 'file',
  },
  'a path as file name': {
    body: () => form({ model }, { name: '../../etc/passwd' }),
    status: 400,
    code: 'invalid_file_name',
    param: 'file',
  },
  'a Windows path as file name': {
    body: () => form({ model }, { name: 'C:\\speech.wav' }),
    status: 400,
    code: 'invalid_file_name',
    param: 'file',
  },
  'a very long file name': {
    body: () => form({ model }, { name: `${'a'.repeat(300)}.wav` }),
    status: 400,
    code: 'invalid_file_name',
    param: 'file',
  },
  'no model': { body: () => form(), status: 400, code: 'invalid_request', param: 'model' },
  'an unknown model': {
    body: () => form({ model: 'nonsense' }),
    status: 404,
    code: 'model_not_found',
    param: 'model',
  },
  'an unknown field': {
    body: () => form({ model, colour: 'blue' }),
    status: 400,
    code: 'invalid_request',
    param: 'colour',
  },
  'a field of the prototype': {
    body: () => form({ model, toString: 'x' }),
    status: 400,
    code: 'invalid_request',
    param: null,
  },
  'a field given twice': {
    body: () => form({ model: [model, model] }),
    status: 400,
    code: 'invalid_request',
    param: 'model',
  },
  'a temperature that is no number': {
    body: () => form({ model, temperature: 'warm' }),
    status: 400,
    code: 'invalid_request',
    param: 'temperature',
  },
  'a temperature above one': {
    body: () => form({ model, temperature: '1.5' }),
    status: 400,
    code: 'invalid_request',
    param: 'temperature',
  },
  'an unknown format': {
    body: () => form({ model, response_format: 'docx' }),
    status: 400,
    code: 'invalid_request',
    param: 'response_format',
  },
  'granularities without verbose_json': {
    body: () => form({ model, 'timestamp_granularities[]': 'segment' }),
    status: 400,
    code: 'invalid_request',
    param: 'timestamp_granularities',
  },
  'word times without verbose_json': {
    body: () => form({ model, 'timestamp_granularities[]': 'word' }),
    status: 400,
    code: 'invalid_request',
    param: 'timestamp_granularities',
  },
  'an unknown granularity': {
    body: () => form({ model, response_format: 'verbose_json', 'timestamp_granularities[]': 'letter' }),
    status: 400,
    code: 'invalid_request',
    param: 'timestamp_granularities',
  },
  'a stream of word times': {
    body: () =>
      form({ model, stream: 'true', response_format: 'verbose_json', 'timestamp_granularities[]': 'word' }),
    status: 400,
    code: 'invalid_request',
    param: 'stream',
  },
  'a stream of subtitles': {
    body: () => form({ model, stream: 'true', response_format: 'srt' }),
    status: 400,
    code: 'invalid_request',
    param: 'stream',
  },
  'a broken chunking strategy': {
    body: () => form({ model, chunking_strategy: '{"type":' }),
    status: 400,
    code: 'invalid_request',
    param: 'chunking_strategy',
  },
  'a keep_alive that is no time': {
    body: () => form({ model, keep_alive: 'soon' }),
    status: 400,
    code: 'invalid_request',
    param: 'keep_alive',
  },
  'the file in another field': {
    body: () => form({ model }, { field: 'upload' }),
    status: 400,
    code: 'invalid_request',
    param: 'upload',
  },
  'a field of 100 kB': {
    body: () => form({ model, prompt: 'x'.repeat(100_000) }),
    status: 400,
    code: 'invalid_request',
    param: 'prompt',
  },
  'two thousand fields': { body: () => form(many), status: 400, code: 'invalid_request', param: null },
};

for (const [name, refusal] of Object.entries(REFUSALS)) {
  test(`${name} is refused, and nothing is left`, async (t) => {
    const { url, leftovers, turns } = await startServer(t);
    const response = await fetch(url + ROUTE, { method: 'POST', body: refusal.body() });
    const { error } = (await response.json()) as ErrorBody;
    assert.equal(response.status, refusal.status, error.message);
    assert.equal(error.code, refusal.code, error.message);
    assert.equal(error.param, refusal.param);
    assert.equal(error.type, 'invalid_request_error');
    assert.deepEqual(await leftovers(), []);
    assert.equal(turns.taken, turns.given);
    assert.equal((await fetch(`${url}/health`)).status, 200);
  });
}

test('a refused upload does not keep the next request on its connection waiting', async (t) => {
  const { url } = await startServer(t);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.after(() => agent.destroy());
  const body = `--b\r\ncontent-disposition: form-data; name="file"; filename="../a"\r\n\r\n${'x'.repeat(500_000)}\r\n--b--\r\n`;
  const headers = { 'content-type': 'multipart/form-data; boundary=b', 'content-length': body.length };
  const ask = async (path: string, options: object, content?: string) => {
    const sent = request(url + path, { agent, ...options });
    sent.end(content);
    const [response] = (await once(sent, 'response', { signal: AbortSignal.timeout(10_000) })) as [
      IncomingMessage,
    ];
    response.resume();
    await once(response, 'end');
    return response.statusCode;
  };
  assert.equal(await ask(ROUTE, { method: 'POST', headers }, body), 400);
  assert.equal(await ask('/health', {}), 200);
});

test('an upload over the limit is answered though it never ends', async (t) => {
  const { url, leftovers } = await startServer(t);
  const headers = { 'content-type': 'multipart/form-data; boundary=b', 'transfer-encoding': 'chunked' };
  const upload = request(url + ROUTE, { method: 'POST', headers });
  upload.write('--b\r\ncontent-disposition: form-data; name="file"; filename="a.wav"\r\n\r\n');
  upload.write(Buffer.alloc(200_000));
  const [response] = (await once(upload, 'response', { signal: AbortSignal.timeout(10_000) })) as [
    IncomingMessage,
  ];
  assert.equal(response.statusCode, 413);
  assert.deepEqual(await leftovers(), []);
  upload.destroy();
});

test('a body that is no form, or is cut, is refused', async (t) => {
  const { url, leftovers } = await startServer(t);
  const post = async (body: string, type: string) => {
    const response = await fetch(url + ROUTE, { method: 'POST', body, headers: { 'content-type': type } });
    return [response.status, ((await response.json()) as ErrorBody).error.code];
  };
  assert.deepEqual(await post('{"model":"whisper-1"}', 'application/json'), [415, 'unsupported_media_type']);
  assert.deepEqual(await post('hello', 'text/plain'), [415, 'unsupported_media_type']);
  assert.deepEqual(await post('hello', 'multipart/form-data'), [400, 'invalid_request']);
  const cut = '--b\r\ncontent-disposition: form-data; name="file"; filename="a.wav"\r\n\r\nsome';
  assert.deepEqual(await post(cut, 'multipart/form-data; boundary=b'), [400, 'invalid_request']);
  assert.deepEqual(await leftovers(), []);
});

test('a client that goes away in the middle stops the work and leaves nothing', async (t) => {
  let stopped: (() => void) | undefined;
  const hasStopped = new Promise<void>((resolve) => {
    stopped = resolve;
  });
  const controller = new AbortController();
  const { url, leftovers, turns } = await startServer(t, {
    transcribe: (_path, _request, { signal }) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => {
          stopped!();
          reject(signal.reason);
        });
        controller.abort();
      }),
  });
  await assert.rejects(
    fetch(url + ROUTE, { method: 'POST', body: form({ model }), signal: controller.signal }),
  );
  await hasStopped;
  while (turns.given < 1) await new Promise(setImmediate);
  while ((await leftovers()).length > 0) await new Promise(setImmediate);
});

test('a full queue is answered before the upload is read, with whole seconds to wait', async (t) => {
  const { url, leftovers } = await startServer(t, { isFull: true });
  const response = await fetch(url + ROUTE, { method: 'POST', body: form({ model }) });
  assert.equal(response.status, 429);
  assert.equal(response.headers.get('retry-after'), '2');
  assert.equal(((await response.json()) as ErrorBody).error.type, 'rate_limit_error');
  assert.deepEqual(await leftovers(), []);
});
