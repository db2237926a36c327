import assert from 'node:assert/strict';
import { openAsBlob } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import test, { type TestContext } from 'node:test';
import { postForm } from '../../src/cli/post-form.ts';
import { temporaryFile } from '../support/temporary.ts';

test('fields and a file arrive, and the answer comes back whole with its status and headers', async (context) => {
  const url = await serve(context, async (request, response) => {
    const form = await new Response(await text(request), {
      headers: { 'content-type': request.headers['content-type']! },
    }).formData();
    const file = form.get('file') as File;
    response.writeHead(422, { 'retry-after': '7' });
    response.write(`${form.get('model')} ${file.name} `);
    response.end(`${await file.text()} ${request.headers.authorization}`);
  });
  const form = await formOf(context, Buffer.from('some bytes'));
  const { signal } = new AbortController();
  const answer = await postForm(url, { form, headers: { authorization: 'Bearer key' }, signal });
  assert.equal(answer.status, 422);
  assert.equal(answer.headers['retry-after'], '7');
  assert.equal(answer.body, 'base talk.wav some bytes Bearer key');
});

test('a refusal that comes before the file is read is the answer', async (context) => {
  const url = await serve(context, (_request, response) => {
    response.writeHead(413).end('too large');
  });
  const form = await formOf(context, Buffer.alloc(20_000_000));
  const answer = await postForm(url, { form, headers: {}, signal: new AbortController().signal });
  assert.deepEqual([answer.status, answer.body], [413, 'too large']);
});

test('a signal ends the wait for the answer, and the server sees the client leave', async (context) => {
  const leaving = new AbortController();
  let seen: () => void;
  const left = new Promise<void>((resolve) => {
    seen = resolve;
  });
  const url = await serve(context, (request, response) => {
    response.once('close', () => seen());
    request.resume().once('end', () => leaving.abort());
  });
  const form = await formOf(context, Buffer.from('some bytes'));
  await assert.rejects(postForm(url, { form, headers: {}, signal: leaving.signal }), { name: 'AbortError' });
  await left;
});

test('a line that breaks in the middle of the answer is an error, not a shorter answer', async (context) => {
  const url = await serve(context, (request, response) => {
    request.resume().once('end', () => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('the first half', () => response.destroy());
    });
  });
  const form = await formOf(context, Buffer.from('some bytes'));
  await assert.rejects(postForm(url, { form, headers: {}, signal: new AbortController().signal }), {
    code: 'ECONNRESET',
  });
});

test('a port where nobody listens is the system’s own error', async (context) => {
  const url = await serve(context, () => {});
  const form = await formOf(context, Buffer.from('some bytes'));
  const closed = url.replace(/:\d+/, ':1');
  await assert.rejects(postForm(closed, { form, headers: {}, signal: new AbortController().signal }), {
    code: 'ECONNREFUSED',
  });
});

async function formOf(context: TestContext, content: Uint8Array): Promise<FormData> {
  const form = new FormData();
  form.append('model', 'base');
  form.append('file', await openAsBlob(await temporaryFile(context, 'talk.wav', content)), 'talk.wav');
  return form;
}

async function serve(context: TestContext, listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  context.after(() => {
    server.close();
    server.closeAllConnections();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}
