import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import test from 'node:test';
import { silentLogger } from '../../src/base/logger.ts';
import { LANES, RECORDINGS } from '../../src/jobs/lanes.ts';
import { openRedisQueue } from '../../src/jobs/redis-queue.ts';
import { NO_REDIS, startRedis } from '../jobs/redis-server.ts';
import { startServer } from './server-under-test.ts';

test('Bull Board shows the queues to whoever has a key, and changes nothing', {
  skip: NO_REDIS,
}, async (context) => {
  const redis = await startRedis();
  const queue = openRedisQueue({
    url: redis.url(),
    resultsDatabase: 1,
    limits: { maxWaiting: {}, maxOutputBytes: 1000, leaseMs: 30_000, retentionMs: 60_000 },
    logger: silentLogger,
  });
  context.after(async () => {
    await queue.close();
    await redis.remove();
  });
  const id = randomUUID();
  await queue.submit({ id, lane: RECORDINGS, priority: 'normal', input: { features: ['summary'] } });
  const { url } = await startServer(context, {
    boardQueues: queue.boardQueues(LANES),
    options: { apiKeys: ['alpha'] },
  });
  const ask = (path: string, password: string | undefined, method = 'GET') =>
    fetch(`${url}/admin/queues${path}`, {
      method,
      headers: password === undefined ? {} : { authorization: `Basic ${btoa(`anyone:${password}`)}` },
    });
  for (const password of [undefined, 'beta']) {
    const refused = await ask('/', password);
    assert.equal(refused.status, 401);
    assert.match(refused.headers.get('www-authenticate') ?? '', /^Basic /);
    assert.equal((await ask('/api/queues', password)).status, 401);
  }
  const page = await ask('/', 'alpha');
  assert.equal(page.status, 200);
  assert.match(await page.text(), /<html/i);
  const shown = (await (await ask('/api/queues', 'alpha')).json()) as {
    queues: { name: string; counts: Record<string, number> }[];
  };
  assert.deepEqual(shown.queues.map(({ name }) => name).sort(), [...LANES].sort());
  const waiting = shown.queues.find(({ name }) => name === RECORDINGS)!.counts;
  assert.equal((waiting['waiting'] ?? 0) + (waiting['prioritized'] ?? 0), 1);
  for (const action of [`/api/queues/${RECORDINGS}/${id}/clean`, `/api/queues/${RECORDINGS}/obliterate`])
    assert.ok((await ask(action, 'alpha', 'PUT')).status >= 400, action);
  assert.equal((await queue.get(id))?.state, 'waiting');
});

test('without Redis there is no board', async (context) => {
  const { url } = await startServer(context);
  assert.equal((await fetch(`${url}/admin/queues/`)).status, 404);
});
