import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import test, { type TestContext } from 'node:test';
import OpenAI from 'openai';
import { AppError } from '../../src/base/errors.ts';
import { checkWebhookUrl } from '../../src/intelligence/webhooks/address.ts';
import { type SendOptions, sendWebhook } from '../../src/intelligence/webhooks/send.ts';

const SECRET = 'whsec_c2VjcmV0LW9mLXRoZS10ZXN0LXN1aXRl';

test('a webhook is verified by an official SDK, and a changed one is not', async (context) => {
  const got: { headers: IncomingHttpHeaders; body: string }[] = [];
  const url = await receiver(context, async (request, response) => {
    got.push({ headers: request.headers, body: await text(request) });
    response.writeHead(204).end();
  });
  const body = JSON.stringify({
    id: 'evt_1',
    object: 'event',
    task_id: 'x',
    status: 'COMPLETE',
    text: 'Ünïcode',
  });
  await sendWebhook({ url, id: 'msg-1', body }, options({ now: () => new Date() }));
  const [{ headers, body: received }] = got as [(typeof got)[number]];
  assert.equal(received, body);
  assert.equal(headers['webhook-id'], 'msg-1');
  assert.match(headers['user-agent']!, /^percept/);
  const { webhooks } = new OpenAI({ apiKey: 'none' });
  await webhooks.verifySignature(received, headers as Record<string, string>, SECRET);
  await assert.rejects(
    webhooks.verifySignature(`${received} `, headers as Record<string, string>, SECRET),
    /signature/i,
  );
});

test('a receiver that hangs is given up after the limit', async (context) => {
  const url = await receiver(context, () => {});
  await assert.rejects(
    sendWebhook({ url, id: 'm', body: '{}' }, options({ timeoutMs: 60 })),
    (error: AppError) => error.code === 'upstream_failed' && /in time/.test(error.message),
  );
});

for (const [status, code] of [
  [500, 'upstream_failed'],
  [404, 'upstream_failed'],
  [302, 'upstream_failed'],
  [410, 'invalid_request'],
] as const) {
  test(`an answer ${status} is ${code}, and no redirection is followed`, async (context) => {
    let requests = 0;
    const url = await receiver(context, (_request, response) => {
      requests += 1;
      response.writeHead(status, { location: '/elsewhere' }).end('secret of the receiver');
    });
    await assert.rejects(
      sendWebhook({ url: `${url}/hook?token=t0ken`, id: 'm', body: '{}' }, options({})),
      (error: AppError) => error.code === code && !error.message.includes('t0ken'),
    );
    assert.equal(requests, 1);
  });
}

test('a receiver that is not there is told by its address alone', async () => {
  await assert.rejects(
    sendWebhook({ url: 'http://127.0.0.1:9/hook', id: 'm', body: '{}' }, options({})),
    (error: AppError) =>
      error.code === 'upstream_failed' && /127\.0\.0\.1:9 cannot be reached/.test(error.message),
  );
});

test('an endless answer is not read', async (context) => {
  const url = await receiver(context, (_request, response) => {
    response.writeHead(200);
    const more = setInterval(() => response.write('x'.repeat(65_536)), 1);
    response.once('close', () => clearInterval(more));
  });
  await sendWebhook({ url, id: 'm', body: '{}' }, options({}));
});

const REFUSED = [
  'nonsense',
  'ftp://example.com/',
  'http://user:password@example.com/',
  'http://169.254.169.254/latest/meta-data',
  'http://[fe80::1]/',
  'http://[::ffff:169.254.169.254]/',
  'http://[fd00:ec2::254]/',
];
for (const url of REFUSED) {
  test(`no webhook is sent to ${url}`, () => {
    assert.throws(
      () => checkWebhookUrl(url, []),
      (error: AppError) => error.code === 'invalid_request' && error.param === 'webhook_url',
    );
  });
}

test('with a list of hosts only those are sent to', () => {
  assert.equal(
    checkWebhookUrl('https://hooks.example.com/a', ['hooks.example.com']).host,
    'hooks.example.com',
  );
  assert.equal(checkWebhookUrl('http://127.0.0.1:8080/a', ['127.0.0.1:8080']).port, '8080');
  assert.throws(() => checkWebhookUrl('https://example.com/', ['hooks.example.com']), AppError);
});

function options(given: Partial<SendOptions>): SendOptions {
  return {
    secret: SECRET,
    timeoutMs: 5000,
    allowedHosts: [],
    userAgent: 'percept/test',
    signal: new AbortController().signal,
    now: () => new Date('2026-01-01T00:00:00Z'),
    ...given,
  };
}

async function receiver(context: TestContext, listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  context.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
