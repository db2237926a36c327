/** A worker in a process of its own, for the tests that kill it: writes a line to a file when it begins a task and one when it has done it. */
import { appendFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { silentLogger } from '../../src/base/logger.ts';
import type { Queue } from '../../src/jobs/queue.ts';
import { openRedisQueue } from '../../src/jobs/redis-queue.ts';
import { openSqliteQueue } from '../../src/jobs/sqlite-queue.ts';
import { startWorker } from '../../src/jobs/worker.ts';
import { LANE, LIMITS } from './queue-under-test.ts';

export type Place =
  | { readonly kind: 'sqlite'; readonly directory: string }
  | { readonly kind: 'redis'; readonly url: string };

export interface WorkerStart {
  readonly place: Place;
  readonly log: string;
  /** Of each task. */
  readonly workMs: number;
}

export function openPlace(place: Place): Queue {
  if (place.kind === 'sqlite') return openSqliteQueue({ directory: place.directory, limits: LIMITS });
  return openRedisQueue({ url: place.url, resultsDatabase: 1, limits: LIMITS, logger: silentLogger });
}

if (process.argv[2] !== undefined) {
  const { place, log, workMs } = JSON.parse(process.argv[2]) as WorkerStart;
  const queue = openPlace(place);
  const worker = startWorker({
    queue,
    logger: silentLogger,
    lanes: [
      {
        name: LANE,
        concurrency: 2,
        limits: {
          heartbeatMs: 100,
          leaseMs: LIMITS.leaseMs,
          retries: 1000,
          retryDelayMs: 10,
          timeoutMs: 60_000,
        },
        isTransient: () => false,
        async run({ id, attempt }) {
          appendFileSync(log, `begin ${id} ${process.pid} ${attempt}\n`);
          await sleep(workMs);
          appendFileSync(log, `done ${id} ${process.pid} ${attempt}\n`);
          return process.pid;
        },
      },
    ],
  });
  process.once('SIGTERM', async () => {
    await worker.stop();
    await queue.close();
  });
}
