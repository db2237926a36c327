/** The queue that the configuration asks for. */
import type { Logger } from '../base/logger.ts';
import type { Config } from '../config/schema.ts';
import type { WorkerLimits } from './attempt.ts';
import { type Lane, RECORDINGS, WEBHOOKS } from './lanes.ts';
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

/** What a worker of the lane keeps to. */
export function workerLimits(tasks: Config['tasks'], lane: Lane): WorkerLimits {
  const isWebhook = lane === WEBHOOKS;
  return {
    heartbeatMs: tasks.heartbeatSeconds * 1000,
    leaseMs: tasks.leaseSeconds * 1000,
    retries: isWebhook ? tasks.webhookRetries : tasks.retries,
    retryDelayMs: (isWebhook ? tasks.webhookRetryDelaySeconds : tasks.retryDelaySeconds) * 1000,
    // A receiver that hangs is given up by the sender, whose error may pass; the limit of the attempt lies behind it.
    timeoutMs: (isWebhook ? 2 * tasks.webhookTimeoutSeconds : tasks.timeoutSeconds) * 1000,
  };
}

function queueLimits(tasks: Config['tasks']): QueueLimits {
  return {
    maxWaiting: { [RECORDINGS]: tasks.maxQueueDepth },
    maxOutputBytes: tasks.maxResultBytes,
    leaseMs: tasks.leaseSeconds * 1000,
    retentionMs: tasks.retentionSeconds * 1000,
  };
}
