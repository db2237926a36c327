import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { AppError } from '../../src/base/errors.ts';
import { requireSafeBind } from '../../src/server/auth.ts';
import { openUploadDirectory } from '../../src/server/uploads.ts';
import { type ErrorBody, form, startServer } from './server-under-test.ts';

test('without keys, pages of other sites are refused, and everybody else is served', async (t) => {
  const closed = await startServer(t);
  const ask = async (url: string, headers: Record<string, string>) =>
    (await fetch(`${url}/v1/models`, { headers })).status;
  for (const origin of ['https://evil.example', 'http://127.0.0.1.evil.example', 'null', 'nonsense'])
    assert.equal(await ask(closed.url, { origin }), 401, origin);
  for (const origin of ['http://127.0.0.1:3000', 'http://localhost:5173', 'http://[::1]:8080'])
    assert.equal(await ask(closed.url, { origin }), 200, origin);
  assert.equal(await ask(closed.url, {}), 200);
  const open = await startServer(t, { options: { isOpenToAll: true } });
  assert.equal(await ask(open.url, { origin: 'https://evil.example' }), 200);
  const keyed = await startServer(t, { options: { apiKeys: ['alpha'] } });
  const headers = { origin: 'https://evil.example', authorization: 'Bearer alpha' };
  assert.equal(await ask(keyed.url, headers), 200);
});

test('errors carry all four keys, whatever went wrong', async (t) => {
  const { url } = await startServer(t);
  for (const [path, init, status, code] of [
    ['/nothing', {}, 404, 'not_found'],
    ['/health', { method: 'POST' }, 405, 'method_not_allowed'],
    ['/v1/models/nonsense', {}, 404, 'model_not_found'],
    ['/%zz', {}, 400, 'invalid_request'],
  ] as const) {
    const response = await fetch(url + path, init);
    const body = (await response.json()) as ErrorBody;
    assert.deepEqual([response.status, body.error.code], [status, code], path);
    assert.deepEqual(Object.keys(body.error).sort(), ['code', 'message', 'param', 'type']);
  }
});

test('a failure of ours says nothing of the inside, and its log line has the same request id', async (t) => {
  const { url, log } = await startServer(t, {
    transcribe: () => Promise.reject(new Error('secret path /etc/shadow')),
  });
  const response = await fetch(`${url}/v1/audio/transcriptions`, {
    method: 'POST',
    body: form({ model: 'whisper-1' }),
    headers: { 'x-request-id': 'my-id.1' },
  });
  const text = await response.text();
  assert.equal(response.status, 500);
  assert.equal(response.headers.get('x-request-id'), 'my-id.1');
  assert.ok(!text.includes('shadow') && text.includes('my-id.1'));
  assert.ok(log.some((line) => line.includes('"reqId":"my-id.1"') && line.includes('shadow')));
});

test('bytes that are no request, and headers over the limit, get an error of the same form', async (t) => {
  const { url } = await startServer(t);
  const say = (text: string) =>
    new Promise<string>((resolve, reject) => {
      let answer = '';
      const socket = connect(Number(new URL(url).port), '127.0.0.1', () => socket.write(text));
      socket.on('data', (bytes) => {
        answer += bytes;
      });
      socket.on('end', () => resolve(answer));
      socket.on('error', reject);
    });
  const noise = await say('hello\r\n\r\n');
  assert.match(noise, /^HTTP\/1\.1 400 /);
  assert.deepEqual(Object.keys(JSON.parse(noise.split('\r\n\r\n')[1]!).error).sort(), [
    'code',
    'message',
    'param',
    'type',
  ]);
  assert.match(
    await say(`GET / HTTP/1.1\r\nhost: a\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`),
    /^HTTP\/1\.1 431 /,
  );
});

test('a request id that could forge a log line is replaced', async (t) => {
  const { url } = await startServer(t);
  const response = await fetch(`${url}/health`, { headers: { 'x-request-id': '"},{"level":60' } });
  assert.match(response.headers.get('x-request-id')!, /^[0-9a-f-]{36}$/);
});

test('with keys, only health answers without one', async (t) => {
  const { url } = await startServer(t, { options: { apiKeys: ['alpha', 'beta'] } });
  const status = async (path: string, headers: Record<string, string> = {}) =>
    (await fetch(url + path, { headers })).status;
  assert.equal(await status('/health'), 200);
  assert.equal(await status('/health/ready'), 200);
  assert.equal(await status('/v1/models'), 401);
  assert.equal(await status('/nothing'), 401);
  assert.equal(await status('/v1/models', { authorization: 'Bearer gamma' }), 401);
  assert.equal(await status('/v1/models', { authorization: 'Bearer beta' }), 200);
  assert.equal(await status('/v1/models', { 'x-api-key': 'alpha' }), 200);
  const refused = (await (await fetch(`${url}/v1/models`)).json()) as ErrorBody;
  assert.equal(refused.error.type, 'authentication_error');
});

test('no key, file name or prompt is ever logged', async (t) => {
  const { url, log } = await startServer(t, { options: { apiKeys: ['alpha-key'] } });
  const body = form({ model: 'whisper-1', prompt: 'private words' }, { name: 'private-name.wav' });
  await fetch(`${url}/v1/audio/transcriptions`, {
    method: 'POST',
    body,
    headers: { authorization: 'Bearer alpha-key' },
  });
  assert.ok(log.length > 0);
  assert.ok(log.every((line) => !/alpha-key|private/.test(line)));
});

test('the models are listed as OpenAI lists them, and retrieved by any of their names', async (t) => {
  const { url } = await startServer(t);
  const list = (await (await fetch(`${url}/v1/models`)).json()) as {
    object: string;
    data: unknown[];
    models: object[];
  };
  const entry = { id: 'whisper-base-int8', object: 'model', created: 1_767_323_045, owned_by: 'Systran' };
  assert.deepEqual([list.object, list.data], ['list', [entry]]);
  for (const key of [
    'backend_id',
    'name',
    'default_variant',
    'description',
    'capabilities',
    'compute_type',
    'memory',
  ])
    assert.ok(key in list.models[0]!);
  assert.deepEqual(await (await fetch(`${url}/v1/models/whisper-1`)).json(), entry);
  assert.deepEqual(await (await fetch(`${url}/models`)).json(), ['whisper-base-int8']);
});

test('health names version, queue and loaded models', async (t) => {
  const { url } = await startServer(t);
  const health = (await (await fetch(`${url}/health`)).json()) as Record<string, unknown>;
  assert.equal(health['status'], 'healthy');
  assert.equal(health['version'], '1.2.3');
  for (const key of [
    'timestamp',
    'queue_connected',
    'redis_connected',
    'queue_depth',
    'worker_active',
    'models_loaded',
  ])
    assert.ok(key in health, key);
});

test('the description of the API holds every route and the fields that are parsed', async (t) => {
  const { url } = await startServer(t);
  const api = (await (await fetch(`${url}/openapi.json`)).json()) as {
    paths: Record<
      string,
      Record<
        string,
        { requestBody?: { content: Record<string, { schema: { properties: object; required: string[] } }> } }
      >
    >;
  };
  for (const path of [
    '/v1/audio/transcriptions',
    '/v1/audio/translations',
    '/v1/models',
    '/v1/models/{id}',
    '/transcribe',
    '/models',
    '/health',
    '/health/ready',
  ])
    assert.ok(path in api.paths, path);
  const { schema } =
    api.paths['/v1/audio/transcriptions']!['post']!.requestBody!.content['multipart/form-data']!;
  assert.deepEqual(schema.required, ['file', 'model']);
  assert.ok('timestamp_granularities[]' in schema.properties);
  assert.match(await (await fetch(`${url}/docs`)).text(), /swagger/i);
});

test('a profile answers the routes of its service only', async (t) => {
  const { url } = await startServer(t, { options: { profile: 'hailo-whisper' } });
  const post = async (path: string, field: string) =>
    (
      await fetch(url + path, {
        method: 'POST',
        body: form({ ...(field === 'file' ? { model: 'whisper-1' } : {}) }, { field }),
      })
    ).status;
  assert.equal(await post('/v1/audio/transcriptions', 'file'), 200);
  assert.equal(await post('/transcribe', 'audio'), 404);
});

test('a closing server finishes what runs and refuses what comes', async (t) => {
  let finish: (() => void) | undefined;
  let started: (() => void) | undefined;
  const hasStarted = new Promise<void>((resolve) => {
    started = resolve;
  });
  const { app, url } = await startServer(t, {
    async transcribe() {
      started!();
      await new Promise<void>((resolve) => {
        finish = resolve;
      });
      throw new AppError('unsupported_audio', 'The file is not audio.', { param: 'file' });
    },
  });
  const running = fetch(`${url}/v1/audio/transcriptions`, {
    method: 'POST',
    body: form({ model: 'whisper-1' }),
  });
  await hasStarted;
  const closed = app.close();
  while (app.server.listening) await new Promise(setImmediate);
  await assert.rejects(fetch(`${url}/health`), 'a closing server takes no new connection');
  finish!();
  assert.equal((await running).status, 415);
  await closed;
});

test('a server without keys listens on this machine only, unless it is told otherwise', () => {
  const bind =
    (host: string, apiKeys: string[] = [], auth: 'keys' | 'none' = 'keys') =>
    () =>
      requireSafeBind({ host, apiKeys, auth });
  for (const host of ['127.0.0.1', '127.1.2.3', '::1', 'localhost']) assert.doesNotThrow(bind(host));
  for (const host of ['0.0.0.0', '::', '192.168.1.5', '127.example.com', '']) {
    assert.throws(
      bind(host),
      (error: unknown) => error instanceof AppError && error.code === 'invalid_config',
    );
  }
  assert.doesNotThrow(bind('0.0.0.0', ['key']));
  assert.doesNotThrow(bind('0.0.0.0', [], 'none'));
});

test('uploads of dead processes are swept when a server starts; those of living ones stay', async (t) => {
  const root = await mkdtemp(join(tmpdir(), 'percept-sweep-'));
  t.after(() => rm(root, { recursive: true }));
  const [dead, living, own] = [999999999, process.ppid, process.pid].map((pid) => `${pid}@${hostname()}`);
  const [elsewhere, longGone] = ['1@another-container', '2@another-container'];
  for (const name of [dead!, living!, 'stray', elsewhere!, longGone!]) {
    await mkdir(join(root, name));
    await writeFile(join(root, name, 'x.upload'), 'audio');
  }
  const twoDaysAgo = new Date(Date.now() - 2 * 24 * 3_600_000);
  await utimes(join(root, longGone!), twoDaysAgo, twoDaysAgo);
  assert.equal(await openUploadDirectory(root), join(root, own!));
  assert.deepEqual((await readdir(root)).sort(), [living, own, elsewhere].sort());
});
