import assert from 'node:assert/strict';
import { after, before, describe, type TestContext, test } from 'node:test';
import type { Logger } from '../../src/base/logger.ts';
import { openRedisQueue, type RedisQueue } from '../../src/jobs/redis-queue.ts';
import { eventually } from '../support/processes.ts';
import { describeQueue } from './queue-suite.ts';
import { claimNow, LANE, LIMITS, mustClaim, newTask, type OpenOptions } from './queue-under-test.ts';
import { NO_REDIS, type RedisServer, redisCommand, startRedis } from './redis-server.ts';

describe('a queue in Redis', { skip: NO_REDIS }, () => {
  let redis: RedisServer;
  let databases = 0;
  const log: string[] = [];
  const logger = recordingLogger(log);
  before(async () => {
    redis = await startRedis();
  });
  after(() => redis.remove());

  /** Two databases of its own for each test. */
  const redisTasks = async (context: TestContext) => {
    const database = databases;
    databases += 2;
    return {
      database,
      open({ clock, limits }: OpenOptions = {}): RedisQueue {
        const queue = openRedisQueue({
          url: redis.url(database),
          resultsDatabase: database + 1,
          limits: { ...LIMITS, ...limits },
          logger,
          ...(clock === undefined ? {} : { clock }),
        });
        context.after(() => queue.close());
        return queue;
      },
    };
  };

  describeQueue('as every queue', redisTasks);

  test('the database of the queue holds BullMQ’s keys alone, that of the results ours', async (t) => {
    const tasks = await redisTasks(t);
    const queue = tasks.open();
    await queue.submit(newTask({ idempotency: { key: 'k', fingerprint: 'x' } }));
    await (await mustClaim(queue)).complete('done');
    const keysOf = async (database: number) => {
      const answer = await redisCommand(redis.port, `SELECT ${database}`, 'KEYS *');
      return answer.split('\r\n').filter((line) => /^\w+:/.test(line));
    };
    const [jobs, results] = [await keysOf(tasks.database), await keysOf(tasks.database + 1)];
    assert.ok(jobs.length > 0 && jobs.every((key) => key.startsWith('bull:')));
    assert.ok(results.length > 0 && results.every((key) => key.startsWith('percept:')));
  });

  test('tasks whose jobs BullMQ lost are delivered all the same', async (t) => {
    const tasks = await redisTasks(t);
    const first = tasks.open();
    const submitted = [newTask(), newTask({ priority: 'high' })];
    for (const task of submitted) await first.submit(task);
    await redisCommand(redis.port, `SELECT ${tasks.database}`, 'FLUSHDB');
    const queue = tasks.open();
    const ids = [(await mustClaim(queue)).task.id, (await mustClaim(queue)).task.id];
    assert.deepEqual(ids.sort(), submitted.map(({ id }) => id).sort());
  });

  test('a task that Redis forgot is submitted again by its id, and who had it writes nothing', async (t) => {
    const tasks = await redisTasks(t);
    const queue = tasks.open();
    const task = newTask({ idempotency: { key: 'k', fingerprint: 'x' } });
    await queue.submit(task);
    const forgotten = await mustClaim(queue);
    for (const database of [tasks.database, tasks.database + 1])
      await redisCommand(redis.port, `SELECT ${database}`, 'FLUSHDB');
    await assert.rejects(forgotten.beat(), { code: 'claim_lost' });
    assert.equal((await queue.submit(task)).isNew, true);
    await assert.rejects(forgotten.complete('old'), { code: 'claim_lost' });
    const claim = await mustClaim(queue);
    await assert.rejects(forgotten.complete('old'), { code: 'claim_lost' });
    await claim.complete('new');
    assert.equal((await queue.get(task.id))?.output, 'new');
  });

  test('a job whose task was ended or taken elsewhere is let go without work', async (t) => {
    const tasks = await redisTasks(t);
    const queue = tasks.open();
    const { task } = await queue.submit(newTask());
    const [board] = queue.boardQueues([LANE]);
    await queue.cancel(task.id);
    await board!.add(LANE, {}, { jobId: task.id });
    assert.equal(await claimNow(queue, { waitMs: 100 }), undefined);
    assert.deepEqual(await openJobs(queue), { active: 0, delayed: 0, prioritized: 0, wait: 0 });
  });

  test('Bull Board shows every task where it stands, and nothing of what is in it', async (t) => {
    const queue = (await redisTasks(t)).open();
    const [board] = queue.boardQueues([LANE]);
    for (let count = 0; count < 5; count += 1) await queue.submit(newTask());
    await (await mustClaim(queue)).complete('secret');
    await (await mustClaim(queue)).fail({ code: 'model_crashed', message: 'It crashed.' });
    await (await mustClaim(queue)).retryLater({ code: 'model_crashed', message: 'It crashed.' }, 60_000);
    const running = await mustClaim(queue);
    const counts = await board!.getJobCounts('active', 'completed', 'delayed', 'failed', 'prioritized');
    assert.deepEqual(counts, { active: 1, completed: 1, delayed: 1, failed: 1, prioritized: 1 });
    const [failed] = await board!.getJobs(['failed']);
    assert.equal(failed?.failedReason, 'model_crashed: It crashed.');
    assert.deepEqual(failed?.data, {});
    await running.release();
    assert.equal((await board!.getJobCounts('prioritized'))['prioritized'], 2);
  });

  test('without Redis every call fails within seconds, and works again as soon as it is back', async (t) => {
    const own = await startRedis();
    t.after(() => own.remove());
    const queue = openRedisQueue({ url: own.url(), resultsDatabase: 1, limits: LIMITS, logger });
    t.after(() => queue.close());
    const { task } = await queue.submit(newTask());
    const claim = await mustClaim(queue);
    await new Promise((resolve) => setTimeout(resolve, 1100));
    await own.kill();
    const begun = performance.now();
    const calls = [
      queue.submit(newTask()),
      queue.get(task.id),
      queue.depth(LANE),
      claimNow(queue),
      claim.beat(),
      queue.beat(claim.task as never, [LANE]),
    ];
    for (const result of await Promise.allSettled(calls)) {
      assert.equal(result.status, 'rejected');
      assert.equal(result.reason.code, 'queue_unavailable');
    }
    assert.equal(await queue.isConnected(), false);
    assert.ok(performance.now() - begun < 8000);
    await own.start();
    await eventually(() => queue.isConnected(), 'the queue answers');
    assert.equal(await claim.beat(), 'go on');
    await claim.complete('done');
    const { task: next } = await queue.submit(newTask());
    assert.equal((await mustClaim(queue)).task.id, next.id);
  });

  test('a queue that was opened this moment is connected, as health checks ask', async (t) => {
    const { open } = await redisTasks(t);
    for (let times = 0; times < 10; times += 1) {
      const queue = open();
      queue.boardQueues([LANE]);
      assert.equal(await queue.isConnected(), true);
    }
  });

  test('a queue can be closed though Redis never answered', async (t) => {
    const own = await startRedis();
    await own.remove();
    const queue = openRedisQueue({ url: own.url(), resultsDatabase: 1, limits: LIMITS, logger });
    t.after(() => queue.close());
    await assert.rejects(claimNow(queue), { code: 'queue_unavailable' });
  });

  test('a password is not told, wherever Redis fails', async (t) => {
    const url = `redis://user:hunter2@127.0.0.1:${redis.port}/0`;
    const queue = openRedisQueue({ url, resultsDatabase: 1, limits: LIMITS, logger });
    t.after(() => queue.close());
    await assert.rejects(queue.submit(newTask()), (error: Error & { code?: string }) => {
      assert.equal(error.code, 'queue_unavailable');
      assert.match(error.message, /\*\*\*@127\.0\.0\.1/);
      assert.doesNotMatch(error.message, /hunter2/);
      return true;
    });
    assert.doesNotMatch(log.join('\n'), /hunter2/);
  });

  async function openJobs(queue: RedisQueue) {
    const [board] = queue.boardQueues([LANE]);
    return board!.getJobCounts('active', 'delayed', 'prioritized', 'wait');
  }
});

function recordingLogger(lines: string[]): Logger {
  const add = (fields: object, message: string) => lines.push(`${JSON.stringify(fields)} ${message}`);
  return { debug: add, info: add, warn: add, error: add };
}
