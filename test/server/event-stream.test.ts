import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect } from 'node:net';
import test, { type TestContext } from 'node:test';
import Fastify, { type FastifyReply } from 'fastify';
import { createEventStream, type EventStreamLimits } from '../../src/server/event-stream.ts';
import { createGate } from '../support/gate.ts';

/** Long enough never to act in a test. */
const NEVER: EventStreamLimits = { pingMs: 1e6, stalledMs: 1e6 };

async function serve(t: TestContext, handler: (reply: FastifyReply) => Promise<void>): Promise<number> {
  const app = Fastify();
  app.get('/', async (_request, reply) => {
    await handler(reply);
    return reply;
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
  t.after(() => app.close());
  return (app.server.address() as AddressInfo).port;
}

test('events are one line of JSON each, and the headers keep proxies from holding them back', async (t) => {
  const port = await serve(t, async (reply) => {
    const events = createEventStream(reply, NEVER);
    events.send({ text: 'two\nlines' });
    events.send({ wrong: true }, 'error');
    events.close();
  });
  const response = await fetch(`http://127.0.0.1:${port}/`);
  assert.match(response.headers.get('content-type')!, /^text\/event-stream/);
  assert.equal(response.headers.get('cache-control'), 'no-cache');
  assert.equal(response.headers.get('x-accel-buffering'), 'no');
  assert.equal(
    await response.text(),
    'data: {"text":"two\\nlines"}\n\nevent: error\ndata: {"wrong":true}\n\n',
  );
});

test('an event reaches the client while the next is still worked on', async (t) => {
  const work = createGate();
  const port = await serve(t, async (reply) => {
    const events = createEventStream(reply, NEVER);
    events.send(1);
    await work.opened;
    events.send(2);
    events.close();
  });
  const reader = (await fetch(`http://127.0.0.1:${port}/`)).body!.getReader();
  const read = async () => Buffer.from((await reader.read()).value ?? []).toString();
  assert.equal(await read(), 'data: 1\n\n');
  work.open();
  assert.equal(await read(), 'data: 2\n\n');
  assert.equal((await reader.read()).done, true);
});

test('a comment is sent while nothing is ready, and begins the answer', async (t) => {
  const work = createGate();
  const port = await serve(t, async (reply) => {
    const events = createEventStream(reply, { ...NEVER, pingMs: 5 });
    await work.opened;
    events.send('done');
    events.close();
  });
  const response = await fetch(`http://127.0.0.1:${port}/`);
  const reader = response.body!.getReader();
  const first = Buffer.from((await reader.read()).value!).toString();
  assert.match(first, /^: ping\n\n/);
  work.open();
  let rest = '';
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    rest += Buffer.from(value).toString();
  }
  assert.match(rest, /^(: ping\n\n)*data: "done"\n\n$/);
});

test('a stream closed before its first event leaves the answer to the caller', async (t) => {
  const port = await serve(t, async (reply) => {
    const events = createEventStream(reply, NEVER);
    events.close();
    assert.equal(events.isOpen, false);
    await reply.status(418).send('no');
  });
  assert.equal((await fetch(`http://127.0.0.1:${port}/`)).status, 418);
});

test('a client that reads nothing is cut off, and what is sent afterwards goes nowhere', async (t) => {
  const gone = createGate();
  const port = await serve(t, async (reply) => {
    const events = createEventStream(reply, { pingMs: 10, stalledMs: 100 });
    // More than the socket's buffers take.
    for (let index = 0; index < 400; index += 1) events.send('x'.repeat(100_000));
    await once(reply.raw, 'close');
    events.send('too late');
    events.close();
    gone.open();
  });
  const socket = connect(port, '127.0.0.1');
  t.after(() => socket.destroy());
  socket.on('error', () => {});
  socket.pause();
  socket.write('GET / HTTP/1.1\r\nhost: localhost\r\n\r\n');
  await gone.opened;
});
