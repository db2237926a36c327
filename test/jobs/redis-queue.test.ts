import assert from 'node:assert/strict';
import { after, before, describe, type TestContext, test } from 'node:test';
import { silentLogger } from '../../src/base/logger.ts';
import { openRedisQueue, type RedisQueue } from '../../src/jobs/redis-queue.ts';
import { describeQueue } from './queue-suite.ts';
import {
  claimNow,
  LANE,
  LIMITS,
  mustClaim,
  newTask,
  type OpenOptions,
  type QueueUnderTest,
} from './queue-under-test.ts';
import { NO_REDIS, type RedisServer, startRedis } from './redis-server.ts';

describe('a queue in Redis', { skip: NO_REDIS }, () => {
  let redis: RedisServer;
  let databases = 0;
  const ends: (() => unknown)[] = [];
  before(async () => {
    redis = await startRedis({ after: (end: () => unknown) => ends.unshift(end) } as TestContext);
  });
  after(async () => {
    for (const end of ends) await end();
  });

  /** Two databases of its own for each test. */
  const redisTasks = async (
    context: TestContext,
  ): Promise<QueueUnderTest & { open(options?: OpenOptions): RedisQueue }> => {
    const database = databases;
    databases += 2;
    return {
      open({ clock, limits } = {}) {
        const queue = openRedisQueue({
          url: redis.url(database),
          resultsDatabase: database + 1,
          limits: { ...LIMITS, ...limits },
          logger: silentLogger,
          ...(clock === undefined ? {} : { clock }),
        });
        context.after(() => queue.close());
        return queue;
      },
    };
  };

  describeQueue('as every queue', redisTasks);
});
