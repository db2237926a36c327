import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { silentLogger } from '../../src/base/logger.ts';
import { moveTasks } from '../../src/jobs/move-tasks.ts';
import type { Queue } from '../../src/jobs/queue.ts';
import { openRedisQueue } from '../../src/jobs/redis-queue.ts';
import { openSqliteQueue } from '../../src/jobs/sqlite-queue.ts';
import { eventually } from '../support/processes.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { LIMITS, mustClaim, newTask } from './queue-under-test.ts';
import { NO_REDIS, startRedis } from './redis-server.ts';

const KINDS = ['SQLite', 'Redis'] as const;

describe('tasks move', () => {
  for (const from of KINDS)
    for (const to of KINDS)
      test(
        `from ${from} to ${to}, with all that belongs to them`,
        { skip: [from, to].includes('Redis') && NO_REDIS },
        async (t) => movesAll(await open(from, t), await open(to, t)),
      );
});

async function movesAll(from: Queue, to: Queue): Promise<void> {
  const idempotency = { key: 'k', fingerprint: 'x' };
  const complete = newTask({ idempotency });
  await from.submit(complete);
  const claim = await mustClaim(from);
  await claim.update({ stage: 'asr' });
  await claim.complete({ text: 'heard' });
  const waiting = [newTask(), newTask(), newTask({ priority: 'high' })];
  for (const task of waiting) await from.submit(task);
  const running = await mustClaim(from);
  assert.equal(running.task.id, waiting[2]!.id);

  assert.deepEqual(await moveTasks(from, to), { moved: 3, known: 0, running: 1 });
  assert.deepEqual(await to.get(complete.id), await from.get(complete.id));
  assert.equal((await to.findByKey(complete.lane, 'k'))?.id, complete.id);
  await running.release();
  assert.deepEqual(await moveTasks(from, to), { moved: 1, known: 3, running: 0 });
  const order = [await mustClaim(to), await mustClaim(to), await mustClaim(to)].map(({ task }) => task.id);
  assert.deepEqual(order, [waiting[2]!.id, waiting[0]!.id, waiting[1]!.id]);
  await eventually(async () => {
    await to.sweep();
    return (await to.get(complete.id)) === undefined;
  }, 'what has ended is kept no longer than before');
}

async function open(kind: (typeof KINDS)[number], t: TestContext): Promise<Queue> {
  const limits = { ...LIMITS, retentionMs: 2000 };
  if (kind === 'SQLite') return closing(t, openSqliteQueue({ directory: await temporaryFolder(t), limits }));
  const redis = await startRedis();
  t.after(() => redis.remove());
  const options = { url: redis.url(), resultsDatabase: 1, limits, logger: silentLogger };
  return closing(t, openRedisQueue(options));
}

function closing(t: TestContext, queue: Queue): Queue {
  t.after(() => queue.close());
  return queue;
}
