/** The queue that the configuration asks for. */
import type { Logger } from '../base/logger.ts';
import type { Config } from '../config/schema.ts';
import { RECORDINGS } from './lanes.ts';
import type { Queue, QueueLimits } from './queue.ts';

export interface OpenQueueOptions {
  readonly config: Pick<Config, 'home' | 'tasks'>;
  readonly logger: Logger;
}

/** What keeps the tasks is loaded here, so that a command without a queue loads neither. Never fails because the queue does not answer. */
export async function openQueue({ config, logger }: OpenQueueOptions): Promise<Queue> {
  const { tasks, home } = config;
  const limits = queueLimits(tasks);
  switch (tasks.queue) {
    case 'sqlite': {
      const { openSqliteQueue } = await import('./sqlite-queue.ts');
      return openSqliteQueue({ directory: home, limits });
    }
    case 'redis': {
      const { openRedisQueue } = await import('./redis-queue.ts');
      return openRedisQueue({ url: tasks.redisUrl, resultsDatabase: tasks.redisResultsDb, limits, logger });
    }
    default:
      return tasks.queue satisfies never;
  }
}

function queueLimits(tasks: Config['tasks']): QueueLimits {
  return {
    maxWaiting: { [RECORDINGS]: tasks.maxQueueDepth },
    maxOutputBytes: tasks.maxResultBytes,
    leaseMs: tasks.leaseSeconds * 1000,
    retentionMs: tasks.retentionSeconds * 1000,
  };
}
