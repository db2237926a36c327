import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import test, { type TestContext } from 'node:test';
import { openNetwork, splitCredentials } from '../../src/store/network.ts';
import { NO_PROXY } from './fixtures.ts';
import { listen } from './servers.ts';

const limits = {
  offline: false,
  connectTimeoutMs: 2000,
  idleTimeoutMs: 2000,
  credentials: new Map<string, string>(),
};

/** A proxy that notes where it was asked to connect to. */
async function startProxy(t: TestContext): Promise<{ url: string; targets: string[] }> {
  const targets: string[] = [];
  const server = createServer((request, response) => {
    targets.push(new URL(request.url!).host);
    response.end('through the proxy');
  });
  server.on('connect', (request, client) => {
    targets.push(request.url!);
    const [host, port] = request.url!.split(':');
    const upstream = connect(Number(port), host!, () => {
      client.write('HTTP/1.1 200 OK\r\n\r\n');
      upstream.pipe(client).pipe(upstream);
    });
    upstream.on('error', () => client.destroy());
    client.on('error', () => upstream.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, targets };
}

test('a proxy is used for every host but those that are excepted', async (t) => {
  const server = await listen(t, (_request, response) => response.end('direct'));
  const proxy = await startProxy(t);
  const host = new URL(server.url).host;

  const proxied = openNetwork({ ...limits, proxy: { ...NO_PROXY, httpProxy: proxy.url } });
  t.after(() => proxied.close());
  (await proxied.get(server.url)).body.resume();
  assert.deepEqual(proxy.targets, [host]);

  const excepted = openNetwork({
    ...limits,
    proxy: { httpProxy: proxy.url, httpsProxy: proxy.url, noProxy: '127.0.0.1' },
  });
  t.after(() => excepted.close());
  (await excepted.get(server.url)).body.resume();
  assert.equal(proxy.targets.length, 1);
});

test('redirects end somewhere, and only at HTTP', async (t) => {
  const server = await listen(t, (request, response) => {
    const location = request.url === '/file' ? 'file:///etc/passwd' : `${request.url}x`;
    response.writeHead(302, { location }).end();
  });
  const network = openNetwork({ ...limits, proxy: NO_PROXY });
  t.after(() => network.close());
  await assert.rejects(network.get(`${server.url}/x`), {
    code: 'download_failed',
    message: /redirects too often/,
  });
  assert.equal(server.requests.length, 7);
  await assert.rejects(network.get(`${server.url}/file`), {
    code: 'download_failed',
    message: /other than HTTP/,
  });
});

test('an address with a password is split into the address and a header', () => {
  assert.deepEqual(splitCredentials('https://me:s%40cret@host.test/simple'), {
    url: 'https://host.test/simple',
    authorization: `Basic ${Buffer.from('me:s@cret').toString('base64')}`,
  });
  assert.deepEqual(splitCredentials('https://host.test/simple'), { url: 'https://host.test/simple' });
});
