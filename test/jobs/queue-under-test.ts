/** What the tests of queues are written with. */
import { randomUUID } from 'node:crypto';
import type { Clock } from '../../src/jobs/clock.ts';
import type { Claim, Queue, QueueLimits, WorkerIdentity } from '../../src/jobs/queue.ts';
import type { NewTask } from '../../src/jobs/task.ts';
import { createWorkerIdentity } from '../../src/jobs/worker-identity.ts';

export interface QueueUnderTest {
  /** Another one on the same tasks; closed after the test. */
  open(options?: OpenOptions): Queue;
}

export interface OpenOptions {
  readonly clock?: Clock;
  readonly limits?: Partial<QueueLimits>;
}

export const LANE = 'recordings';

export const LIMITS: QueueLimits = {
  maxWaiting: { recordings: 1000, small: 10 },
  maxOutputBytes: 10_000,
  leaseMs: 3000,
  retentionMs: 60_000,
};

export function newTask(values: Partial<NewTask> = {}): NewTask {
  return { id: randomUUID(), lane: LANE, priority: 'normal', input: { some: 'input' }, ...values };
}

export interface TurnedClock extends Clock {
  /** Turns the time of day. */
  jump(ms: number): void;
  /** Lets time pass, on both. */
  pass(ms: number): void;
}

export function turnedClock(): TurnedClock {
  let now = Date.now();
  let elapsed = 1000;
  return {
    now: () => now,
    elapsed: () => elapsed,
    jump(ms) {
      now += ms;
    },
    pass(ms) {
      now += ms;
      elapsed += ms;
    },
  };
}

export function livingWorker(): WorkerIdentity {
  return createWorkerIdentity('test');
}

/** On another machine: only its silence tells. */
export function distantWorker(): WorkerIdentity {
  return { ...createWorkerIdentity('distant'), host: 'another host' };
}

/** Of this machine, its process number given out again. */
export function deadWorker(): WorkerIdentity {
  return { ...createWorkerIdentity('dead'), processStart: '1' };
}

export async function claimNow(
  queue: Queue,
  { lane = LANE, worker = livingWorker(), waitMs = 0 } = {},
): Promise<Claim | undefined> {
  return queue.claim(lane, { worker, waitMs, signal: new AbortController().signal });
}

/** Of a task that must be there, if need be after a moment. */
export async function mustClaim(
  queue: Queue,
  options: { readonly lane?: string; readonly worker?: WorkerIdentity } = {},
): Promise<Claim> {
  const claim = await claimNow(queue, { waitMs: 5000, ...options });
  if (claim === undefined) throw new Error('no task to claim');
  return claim;
}
