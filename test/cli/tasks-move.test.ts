import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { silentLogger } from '../../src/base/logger.ts';
import { register } from '../../src/cli/tasks.ts';
import { RECORDINGS } from '../../src/jobs/lanes.ts';
import type { Queue, WorkerIdentity } from '../../src/jobs/queue.ts';
import { openRedisQueue } from '../../src/jobs/redis-queue.ts';
import { openSqliteQueue } from '../../src/jobs/sqlite-queue.ts';
import { createWorkerIdentity } from '../../src/jobs/worker-identity.ts';
import { LIMITS, newTask } from '../jobs/queue-under-test.ts';
import { NO_REDIS, type RedisServer, startRedis } from '../jobs/redis-server.ts';
import { runCommands } from '../support/command-line.ts';
import { temporaryFolder } from '../support/temporary.ts';

const task = () => newTask({ lane: RECORDINGS });

async function sqlite(t: TestContext) {
  const directory = await temporaryFolder(t);
  const queue = openSqliteQueue({ directory, limits: LIMITS });
  t.after(() => queue.close());
  const percept = await runCommands(t, { commands: [register], env: { PERCEPT_HOME: directory } });
  return { queue, percept };
}

async function redis(t: TestContext): Promise<{ queue: Queue; server: RedisServer }> {
  const server = await startRedis();
  const queue = openRedisQueue({
    url: server.url(),
    resultsDatabase: 1,
    limits: LIMITS,
    logger: silentLogger,
  });
  t.after(async () => {
    await queue.close();
    await server.remove();
  });
  return { queue, server };
}

test('tasks move from SQLite to Redis, and what is there already is told', { skip: NO_REDIS }, async (t) => {
  const { queue, percept } = await sqlite(t);
  const { queue: other, server } = await redis(t);
  const tasks = [task(), task()];
  for (const one of tasks) await queue.submit(one);
  const words = ['tasks', 'move', '--to', 'redis', '--to-url', server.url()];
  const first = await percept(...words);
  assert.match(
    first.stdout,
    /^2 tasks moved, from SQLite in \S+ to Redis at redis:\/\/127\.0\.0\.1:\d+\/0\.\n$/,
  );
  assert.equal(first.stderr, 'Set tasks.queue to redis and tasks.redis_url, and start.\n');
  for (const { id } of tasks) assert.equal((await other.get(id))?.state, 'waiting');
  await queue.submit(task());
  assert.match((await percept(...words)).stdout, /^1 task moved, 2 were there already, from /);
});

test('a task that runs is left and told of, and the command has failed', { skip: NO_REDIS }, async (t) => {
  const { queue, percept } = await sqlite(t);
  const { server } = await redis(t);
  await queue.submit(task());
  const { signal } = new AbortController();
  await queue.claim(RECORDINGS, { worker: createWorkerIdentity(), waitMs: 1000, signal });
  const { stderr, hasFailed } = await percept('tasks', 'move', '--to', 'redis', '--to-url', server.url());
  assert.match(stderr, /^percept: 1 task runs and is left\. Move again once they have ended\.\n/);
  assert.equal(hasFailed, true);
});

test('while workers run on either queue nothing is moved, unless by force', { skip: NO_REDIS }, async (t) => {
  const { queue, percept } = await sqlite(t);
  const { queue: other, server } = await redis(t);
  const moved = task();
  await queue.submit(moved);
  const words = ['tasks', 'move', '--to', 'redis', '--to-url', server.url()];
  const worker: WorkerIdentity = { ...createWorkerIdentity(), name: 'ann@desk' };
  for (const [busy, place] of [
    [queue, 'SQLite'],
    [other, 'Redis'],
  ] as const) {
    await busy.beat(worker, [RECORDINGS]);
    await assert.rejects(percept(...words), {
      code: 'task_state',
      message: new RegExp(`^Workers run on ${place} .*: ann@desk\\.`),
    });
    assert.equal(await other.get(moved.id), undefined);
    await busy.leave(worker);
  }
  await queue.beat(worker, [RECORDINGS]);
  assert.match((await percept(...words, '--force')).stdout, /^1 task moved/);
});

test('a move to where the tasks are, or to half an address, is refused', async (t) => {
  const { percept } = await sqlite(t);
  await assert.rejects(percept('tasks', 'move', '--to', 'sqlite'), {
    code: 'usage',
    message: /^The tasks are in SQLite in .* already/,
  });
  await assert.rejects(percept('tasks', 'move', '--to', 'sqlite', '--to-url', 'redis://x'), {
    code: 'usage',
  });
  await assert.rejects(percept('tasks', 'move'), /required option '--to <queue>'/);
  await assert.rejects(percept('tasks', 'move', '--to', 'redis', '--to-url', 'http://x'), {
    code: 'invalid_config',
  });
});

test('a Redis that does not answer is told of, and nothing is changed', async (t) => {
  const { queue, percept } = await sqlite(t);
  const one = task();
  await queue.submit(one);
  await assert.rejects(percept('tasks', 'move', '--to', 'redis', '--to-url', 'redis://:secret@127.0.0.1:9'), {
    code: 'queue_unavailable',
    message: /^(?!.*secret)Redis at .* does not answer/,
  });
  assert.equal((await queue.get(one.id))?.state, 'waiting');
});
