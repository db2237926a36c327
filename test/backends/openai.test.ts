import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { type OpenaiServer, type OpenaiServerOptions, openOpenaiServer } from '../../src/backends/openai.ts';
import { AppError, type ErrorCode } from '../../src/base/errors.ts';
import {
  answers,
  chunk,
  event,
  type LanguageServer,
  type Scene,
  startLanguageServer,
  streams,
} from '../support/language-server.ts';

const KEY = 'sk-very-secret';
const PATH = 'chat/completions';

async function open(
  t: TestContext,
  scenes: readonly Scene[],
  options: Partial<OpenaiServerOptions> = {},
): Promise<{ remote: LanguageServer; server: OpenaiServer }> {
  const remote = await startLanguageServer(t, ...scenes);
  const server = openOpenaiServer({
    url: remote.url,
    apiKey: KEY,
    connectTimeoutMs: 5000,
    idleTimeoutMs: 5000,
    retries: 2,
    retryDelayMs: 1,
    ...options,
  });
  return { remote, server };
}

const never = new AbortController().signal;

/** The events of a stream, and the error that ended it. */
async function collect(server: OpenaiServer, signal: AbortSignal = never) {
  const events: unknown[] = [];
  try {
    await server.stream(PATH, { stream: true }, { signal, onData: (data) => events.push(data) });
    return { events, error: undefined };
  } catch (error) {
    assert.ok(error instanceof AppError);
    return { events, error };
  }
}

function is(code: ErrorCode, pattern: RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof AppError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, pattern);
    assert.ok(!error.message.includes(KEY), 'the key is in the message');
    return true;
  };
}

for (const suffix of ['', '/', '/v1', '/v1/']) {
  test(`an address that ends with "${suffix}" is asked at its version's path, with the key in the header`, async (t) => {
    const { remote } = await open(t, [answers(200, { ok: true })]);
    const { server } = await open(t, [], { url: remote.url + suffix });
    assert.deepEqual(await server.post(PATH, { a: 'é' }, never), { ok: true });
    const [heard] = remote.heard;
    assert.deepEqual([heard!.method, heard!.url, heard!.body], ['POST', '/v1/chat/completions', { a: 'é' }]);
    assert.equal(heard!.headers.authorization, `Bearer ${KEY}`);
    assert.equal(heard!.headers['content-type'], 'application/json');
  });
}

test('without a key there is no header for one, and a prefix of the path is kept', async (t) => {
  const { remote } = await open(t, [answers(200, { data: [] })]);
  const { server } = await open(t, [], { url: `${remote.url}/proxy/v1`, apiKey: undefined });
  await server.get('models', never);
  assert.equal(remote.heard[0]!.url, '/proxy/v1/models');
  assert.equal(remote.heard[0]!.headers.authorization, undefined);
});

for (const status of [408, 429, 500, 502, 503]) {
  test(`${status} and then 200 is an answer`, async (t) => {
    const { server, remote } = await open(t, [answers(status, 'busy'), answers(200, { ok: true })]);
    assert.deepEqual(await server.post(PATH, {}, never), { ok: true });
    assert.equal(remote.heard.length, 2);
  });
}

test('a stream is tried again, too, as long as none of it has come', async (t) => {
  const { server, remote } = await open(t, [
    answers(503, 'loading'),
    streams(event({ a: 1 }), event('[DONE]')),
  ]);
  assert.deepEqual((await collect(server)).events, [{ a: 1 }]);
  assert.equal(remote.heard.length, 2);
});

test('a connection that is cut before the answer is made again', async (t) => {
  const cut: Scene = (response) => response.destroy();
  const { server, remote } = await open(t, [cut, cut, answers(200, { ok: true })]);
  assert.deepEqual(await server.post(PATH, {}, never), { ok: true });
  assert.equal(remote.heard.length, 3);
});

test('tries end, and the last failure is told', async (t) => {
  const { server, remote } = await open(t, [answers(500, { error: 'llama runner process has terminated' })]);
  await assert.rejects(
    server.post(PATH, {}, never),
    is(
      'upstream_failed',
      /^The language server at http:\/\/127\.0\.0\.1:\d+ failed: it answered 500: llama runner/,
    ),
  );
  assert.equal(remote.heard.length, 3);
});

test('Retry-After is kept to, and a pause that is too long is handed on', async (t) => {
  const headers = (seconds: string) => ({ 'retry-after': seconds });
  const soon = await open(t, [answers(429, 'slow', headers('0')), answers(200, { ok: true })]);
  assert.deepEqual(await soon.server.post(PATH, {}, never), { ok: true });
  const date = new Date(Date.now() + 3_600_000).toUTCString();
  for (const value of ['3600', date]) {
    const late = await open(t, [answers(429, 'slow', headers(value))]);
    await assert.rejects(late.server.post(PATH, {}, never), (error) => {
      assert.ok(error instanceof AppError && Math.abs(error.retryAfterSeconds! - 3600) < 5);
      assert.equal(error.code, 'queue_full');
      return true;
    });
    assert.equal(late.remote.heard.length, 1);
  }
});

test('nobody listening is told with the address to check', async (t) => {
  const { server } = await open(t, [], { url: 'http://127.0.0.1:1/v1', retries: 1 });
  await assert.rejects(
    server.get('models', never),
    is('upstream_failed', /127\.0\.0\.1:1 failed: nobody listens there\. Check .*language\.url/),
  );
});

const REFUSALS: readonly (readonly [string, Scene, ErrorCode, RegExp])[] = [
  [
    'Ollama without the model',
    answers(404, {
      error: {
        message: 'model "x" not found, try pulling it first',
        type: 'not_found_error',
        param: null,
        code: null,
      },
    }),
    'model_not_found',
    /try pulling it first/,
  ],
  [
    'vLLM without the model',
    answers(404, {
      object: 'error',
      message: 'The model `x` does not exist.',
      type: 'NotFoundError',
      param: null,
      code: 404,
    }),
    'model_not_found',
    /does not exist/,
  ],
  [
    'vLLM with too long a prompt',
    answers(400, {
      object: 'error',
      message: "This model's maximum context length is 4096 tokens.",
      type: 'BadRequestError',
      param: null,
      code: 400,
    }),
    'context_exceeded',
    /4096 tokens/,
  ],
  [
    'llama.cpp with too long a prompt',
    answers(400, {
      error: {
        code: 400,
        message: 'the request exceeds the available context size, try increasing it',
        type: 'exceed_context_size_error',
        n_prompt_tokens: 9000,
        n_ctx: 4096,
      },
    }),
    'context_exceeded',
    /available context size/,
  ],
  [
    'OpenAI with too long a prompt',
    answers(400, {
      error: {
        message: 'Too long.',
        type: 'invalid_request_error',
        param: 'messages',
        code: 'context_length_exceeded',
      },
    }),
    'context_exceeded',
    /Too long\.$/,
  ],
  [
    'vLLM with a body that does not fit',
    answers(422, { detail: [{ loc: ['body'], msg: 'Input should be a list', type: 'list_type' }] }),
    'upstream_failed',
    /422: Input should be a list\.$/,
  ],
  [
    'a wrong key',
    answers(401, { error: `The key ${KEY} is wrong` }),
    'upstream_failed',
    /\*{8} is wrong\. Check language\.api_key\.$/,
  ],
  [
    'a page of a proxy',
    answers(404, '<html><body>404</body></html>', { 'content-type': 'text/html' }),
    'upstream_failed',
    /404: an HTML page\. Check/,
  ],
  [
    'a text',
    answers(403, 'Forbidden', { 'content-type': 'text/plain' }),
    'upstream_failed',
    /403: Forbidden\. Check language\.api_key/,
  ],
  ['nothing', answers(400, ''), 'upstream_failed', /400: nothing\.$/],
  ['a very long text', answers(400, 'x'.repeat(100_000)), 'upstream_failed', /x{500}…\.?$/],
  ['a redirect', answers(302, '', { location: 'http://127.0.0.1:1/' }), 'upstream_failed', /302/],
];

for (const [name, scene, code, pattern] of REFUSALS) {
  test(`${name} is ${code}, and is not asked again`, async (t) => {
    const { server, remote } = await open(t, [scene]);
    await assert.rejects(server.post(PATH, {}, never), is(code, pattern));
    assert.equal(remote.heard.length, 1);
  });
}

test('an answer that is no JSON, or no stream, is told with its type', async (t) => {
  const { server, remote } = await open(t, [answers(200, '<p>hello', { 'content-type': 'text/html' })]);
  await assert.rejects(
    server.post(PATH, {}, never),
    is('upstream_failed', /it answered text\/html, which is no answer/),
  );
  is('upstream_failed', /it answered text\/html/)((await collect(server)).error);
  assert.equal(remote.heard.length, 2);
});

test('a stream may be cut anywhere, end its lines in any way, hold comments, and lack [DONE]', async (t) => {
  const text = `: ping\r\n\r\n${event({ a: 'é' }).replaceAll('\n', '\r\n')}${chunk({ content: 'b' })}`;
  const { server } = await open(t, [streams(...[...Buffer.from(text)].map((byte) => Uint8Array.of(byte)))]);
  const { events, error } = await collect(server);
  assert.equal(error, undefined);
  assert.deepEqual(events[0], { a: 'é' });
  assert.equal(events.length, 2);
});

for (const [name, line] of [
  ['vLLM', event({ object: 'error', message: 'CUDA ran out of memory', code: 500 })],
  ['OpenAI', event({ error: { message: 'CUDA ran out of memory', type: 'server_error' } })],
  ['an older llama.cpp', 'error: {"code":500,"message":"CUDA ran out of memory"}\n\n'],
] as const) {
  test(`an error of ${name} within a stream ends it, and is not asked again`, async (t) => {
    const { server, remote } = await open(t, [streams(event({ a: 1 }), line, event({ a: 2 }))]);
    const { events, error } = await collect(server);
    assert.deepEqual(events, [{ a: 1 }]);
    is('upstream_failed', /failed: CUDA ran out of memory\.$/)(error);
    assert.equal(remote.heard.length, 1);
  });
}

test('a stream that is dropped in the middle is an error, and is not asked again', async (t) => {
  const { server, remote } = await open(t, [
    (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(event({ a: 1 }), () => response.destroy());
    },
  ]);
  const { events, error } = await collect(server);
  assert.deepEqual(events, [{ a: 1 }]);
  is('upstream_failed', /broke the connection off/)(error);
  assert.equal(remote.heard.length, 1);
});

test('broken JSON within a stream is an error', async (t) => {
  const { server } = await open(t, [streams('data: {"a":\n\n')]);
  is('upstream_failed', /no answer of OpenAI/)((await collect(server)).error);
});

test('a server that says nothing is given up after the time-out, before its answer and within it', async (t) => {
  const silent: Scene = () => {};
  const stalled: Scene = (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(event({ a: 1 }));
  };
  const { server, remote } = await open(t, [silent, stalled], { idleTimeoutMs: 50 });
  await assert.rejects(server.post(PATH, {}, never), is('upstream_failed', /nothing came for 0\.05 s/));
  const { events, error } = await collect(server);
  assert.deepEqual(events, [{ a: 1 }]);
  is('upstream_failed', /nothing came for 0\.05 s/)(error);
  assert.equal(remote.heard.length, 2);
});

test('a signal ends the wait for an answer, a stream and a pause, and the server sees it', async (t) => {
  const leaving = new AbortController();
  let closed = 0;
  const leave: Scene = (response) => {
    response.once('close', () => {
      closed += 1;
    });
    leaving.abort(new AppError('cancelled', 'Enough.'));
  };
  const { server } = await open(t, [leave]);
  await assert.rejects(server.post(PATH, {}, leaving.signal), is('cancelled', /Enough/));
  while (closed < 1) await new Promise(setImmediate);

  const streaming = new AbortController();
  const begun = await open(t, [
    (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(event({ a: 1 }), () => streaming.abort(new AppError('cancelled', 'Enough.')));
    },
  ]);
  is('cancelled', /Enough/)((await collect(begun.server, streaming.signal)).error);

  const pausing = new AbortController();
  const busy: Scene = (response) => {
    response.once('close', () => setImmediate(() => pausing.abort(new AppError('cancelled', 'Enough.'))));
    response.writeHead(503).end();
  };
  const patient = await open(t, [busy], { retryDelayMs: 60_000 });
  await assert.rejects(patient.server.post(PATH, {}, pausing.signal), is('cancelled', /Enough/));
});
