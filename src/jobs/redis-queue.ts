/**
 * Tasks in Redis, for any number of machines. Two databases: that of the results has the records, which decide; that of the queue has BullMQ's jobs,
 * which deliver. They cannot be written in one step, so the record is written first, and a job that is missing is added by whoever waits for tasks.
 */
import type { Logger } from '../base/logger.ts';
import { type Clock, systemClock } from './clock.ts';
import { createQueue } from './durable-queue.ts';
import type { Queue, QueueLimits } from './queue.ts';
import { connectRedis } from './redis-connection.ts';
import { BullDelivery, type BullQueue } from './redis-delivery.ts';
import { RedisStore } from './redis-store.ts';

export interface RedisQueueOptions {
  /** With the database of BullMQ. */
  readonly url: string;
  /** The database of tasks and results. */
  readonly resultsDatabase: number;
  readonly limits: QueueLimits;
  readonly logger: Logger;
  readonly clock?: Clock;
}

export interface RedisQueue extends Queue {
  /** BullMQ's own, for Bull Board. */
  boardQueues(lanes: readonly string[]): readonly BullQueue[];
}

/** Connects by and by, and again whenever the connection is lost: until then every call throws `queue_unavailable` within seconds. */
export function openRedisQueue(options: RedisQueueOptions): RedisQueue {
  const { url, resultsDatabase, limits, logger, clock = systemClock } = options;
  /** One line in the log for each time that Redis is lost, not for each try. */
  let isLost = false;
  const onError = (error: Error) => {
    const fields = { reason: error.message };
    if (isLost) logger.debug(fields, 'Redis');
    else logger.warn(fields, 'Redis fails; it is tried again');
    isLost = true;
  };
  const records = connectRedis({ url, database: resultsDatabase, onError });
  const jobs = connectRedis({ url, isPatient: true, onError });
  const delivery = new BullDelivery({ ...limits, client: jobs, onError });
  const store = new RedisStore({ url, client: records, jobs, delivery, limits, logger, clock });
  records.on('ready', () => {
    if (isLost) logger.info({}, 'Redis answers again');
    isLost = false;
    store.reconcileSoon();
  });
  const queue = createQueue(store, limits, clock);
  return Object.assign(queue, { boardQueues: (lanes: readonly string[]) => delivery.queues(lanes) });
}
