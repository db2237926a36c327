/**
 * BullMQ, which brings tasks to workers in their order and shows them in Bull Board: one queue for each lane, one job for each open task, named as
 * the task is. It decides nothing: a job only says that its task may be claimed now, and one that is lost, late or delivered twice does no harm,
 * because the record decides (`redis-store.ts`), and whoever waits for tasks adds the jobs that are missing.
 */
import { Queue as BullQueue, Worker as BullWorker, type Job } from 'bullmq';
import { abortError, throwIfAborted } from '../base/abort.ts';
import { abortable } from '../base/deadline.ts';
import type { WireError } from '../base/errors.ts';
import type { RedisClient } from './redis-connection.ts';
import { PRIORITIES, type Priority } from './task.ts';

export type { BullQueue };

/** What BullMQ is told of a task. */
export interface Deliverable {
  readonly id: string;
  readonly lane: string;
  readonly priority: Priority;
  readonly delayMs: number;
}

interface Line {
  readonly queue: BullQueue;
  /** Made when the lane is first waited for: a server that only submits needs none. */
  worker: BullWorker | undefined;
  /** One at a time; BullMQ waits a little longer than who asked may. */
  fetching: Promise<void> | undefined;
  /** Of jobs that were fetched, for those who wait; nothing stays in it when nobody does. */
  readonly arrived: Job[];
  waiting: number;
}

interface Held {
  readonly job: Job;
  readonly token: string;
}

export interface DeliveryOptions {
  /** Patient, as BullMQ asks for. */
  readonly client: RedisClient;
  readonly retentionMs: number;
  readonly leaseMs: number;
  onError(error: Error): void;
}

/** How long BullMQ waits for a job in one go, in seconds; jobs that were given back wake nobody before. */
const BLOCK_SECONDS = 0.5;
/** As a share of the lease: a job that is not renewed for so long is delivered again. A lease is at least three beats, so that one may be late. */
const LOCK = 1 / 2;
/** BullMQ waits for Redis for ever; nobody waits for an answer of Redis longer than this. */
const ANSWER_MS = 5000;
/** For connections that are on their way when they are to be closed. */
const SETTLE_MS = 1000;
/** Jobs may be delivered again as often as it takes. */
const ANY_NUMBER = 1_000_000_000;

export class BullDelivery {
  readonly #lines = new Map<string, Line>();
  /** Jobs that this process has, by the task's id, until the task is left. */
  readonly #held = new Map<string, Held>();
  readonly #options: DeliveryOptions;
  readonly #lockMs: number;
  #isClosed = false;

  constructor(options: DeliveryOptions) {
    this.#options = options;
    this.#lockMs = Math.round(options.leaseMs * LOCK);
  }

  /** For Bull Board, by lane. */
  queues(lanes: readonly string[]): BullQueue[] {
    return lanes.map((lane) => this.#line(lane).queue);
  }

  /** Sees to it that a waiting task has a job that comes no later than it should. */
  async deliver(task: Deliverable): Promise<void> {
    const { queue } = this.#line(task.lane);
    const job = (await queue.getJob(task.id)) as Job | undefined;
    if (job !== undefined) {
      const state = await job.getState();
      if (state === 'delayed' && task.delayMs <= 0) return promote(job);
      if (state !== 'completed' && state !== 'failed' && state !== 'unknown') return;
      await job.remove();
    }
    await this.add(task);
  }

  /** For a task that has no job. */
  async add({ id, lane, priority, delayMs }: Deliverable): Promise<void> {
    const age = Math.ceil(this.#options.retentionMs / 1000);
    await this.#line(lane).queue.add(
      lane,
      {},
      {
        jobId: id,
        priority: PRIORITIES.indexOf(priority) + 1,
        delay: Math.max(0, delayMs),
        removeOnComplete: { age },
        removeOnFail: { age },
      },
    );
  }

  /** The id of the next task; undefined when none came in time. What comes for somebody who has left is given back. */
  async next(
    lane: string,
    { waitMs, signal }: { readonly waitMs: number; readonly signal: AbortSignal },
  ): Promise<string | undefined> {
    const line = this.#line(lane);
    line.waiting += 1;
    const late = lateAfter(waitMs);
    const lost = lateAfter(ANSWER_MS);
    try {
      if (line.arrived.length === 0)
        await abortable(Promise.race([this.#fetch(line, false), lost.promise]), signal);
      while (line.arrived.length === 0) {
        throwIfAborted(signal);
        if (this.#isClosed || waitMs <= 0) return undefined;
        line.fetching ??= this.#fetch(line, true).finally(() => {
          line.fetching = undefined;
        });
        if ((await abortable(Promise.race([line.fetching, late.promise]), signal)) === 'late') break;
      }
      if (signal.aborted) throw abortError(signal);
      return line.arrived.shift()?.id;
    } finally {
      late.dispose();
      lost.dispose();
      line.waiting -= 1;
      if (line.waiting === 0) for (const job of line.arrived.splice(0)) void this.release(job.id!);
    }
  }

  /** Keeps the job of a task that runs here from being delivered again. */
  async renew(id: string): Promise<void> {
    const held = this.#held.get(id);
    if (held !== undefined) await held.job.extendLock(held.token, this.#lockMs);
  }

  /** The task is another's. */
  forget(id: string): void {
    this.#held.delete(id);
  }

  /** The task waits again at once; says whether its job was here and is waiting now. */
  release(id: string): Promise<boolean> {
    return this.#leave(id, ({ job, token }) => job.moveToWait(token));
  }

  /** The task waits again, for later. */
  delay(id: string, delayMs: number): Promise<boolean> {
    return this.#leave(id, ({ job, token }) => job.moveToDelayed(Date.now() + Math.max(0, delayMs), token));
  }

  /** The task is left, or not to be worked on; Bull Board shows it until its time is over. */
  end(id: string, error: WireError | undefined): Promise<boolean> {
    return this.#leave(id, ({ job, token }) => {
      if (error === undefined) return job.moveToCompleted(null, token, false);
      const failure = new Error(`${error.code}: ${error.message}`);
      delete failure.stack;
      return job.moveToFailed(failure, token, false);
    });
  }

  /** Of a task that has ended while it waited. */
  async remove(lane: string, id: string): Promise<void> {
    await this.#line(lane).queue.remove(id);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#settle();
    for (const { queue, worker } of this.#lines.values()) {
      await worker?.close(true).catch(() => {});
      await queue.close().catch(() => {});
    }
  }

  /**
   * A connection of BullMQ that fails after its close, because it was still on its way, ends the process: nobody hears its error by then. So it is
   * given a moment to come, and fails before its close where it does not.
   */
  async #settle(): Promise<void> {
    const { client } = this.#options;
    const lines = [...this.#lines.values()];
    const ready = Promise.allSettled(
      lines.flatMap(({ queue, worker }) => [queue.waitUntilReady(), worker?.waitUntilReady()]),
    );
    const isReady = await within(client.status === 'ready' ? SETTLE_MS : 0, ready);
    if (isReady) return;
    client.disconnect();
    await within(SETTLE_MS, ready);
  }

  /** False where the job was not here, or is no longer ours: then it comes again, or is added again, and its record is looked at. */
  async #leave(id: string, move: (held: Held) => Promise<unknown>): Promise<boolean> {
    const held = this.#held.get(id);
    if (held === undefined) return false;
    this.#held.delete(id);
    try {
      await move(held);
      return true;
    } catch {
      return false;
    }
  }

  async #fetch(line: Line, block: boolean): Promise<void> {
    line.worker ??= this.#startWorker(line.queue.name);
    const token = crypto.randomUUID();
    const job = (await line.worker.getNextJob(token, { block })) as Job | undefined;
    if (job?.id === undefined) return;
    this.#held.set(job.id, { job, token });
    if (line.waiting === 0) await this.release(job.id);
    else line.arrived.push(job);
  }

  #startWorker(lane: string): BullWorker {
    const worker = new BullWorker(lane, null, {
      connection: this.#options.client,
      autorun: false,
      drainDelay: BLOCK_SECONDS,
      lockDuration: this.#lockMs,
      stalledInterval: this.#lockMs / 3,
      maxStalledCount: ANY_NUMBER,
    });
    worker.on('error', this.#options.onError);
    worker
      .waitUntilReady()
      .then(() => worker.startStalledCheckTimer())
      .catch(this.#options.onError);
    return worker;
  }

  #line(lane: string): Line {
    const known = this.#lines.get(lane);
    if (known !== undefined) return known;
    const queue = new BullQueue(lane, { connection: this.#options.client });
    queue.on('error', this.#options.onError);
    const line: Line = { queue, worker: undefined, fetching: undefined, arrived: [], waiting: 0 };
    this.#lines.set(lane, line);
    return line;
  }
}

function lateAfter(ms: number): { readonly promise: Promise<'late'>; dispose(): void } {
  let timer: NodeJS.Timeout | undefined;
  const promise = new Promise<'late'>((resolve) => {
    timer = setTimeout(resolve, ms, 'late');
  });
  return { promise, dispose: () => clearTimeout(timer) };
}

async function within(ms: number, work: Promise<unknown>): Promise<boolean> {
  const late = lateAfter(ms);
  const first = await Promise.race([work, late.promise]);
  late.dispose();
  return first !== 'late';
}

/** Somebody else may have done so in the same moment. */
async function promote(job: Job): Promise<void> {
  await job.promote().catch(() => {});
}
