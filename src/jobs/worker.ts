/** Takes tasks of its lanes, runs so many at once, and lives through whatever the queue and the work do. */
import { sleep } from '../base/abort.ts';
import { type AppError, toAppError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { type AttemptContext, runAttempt, type Work, type WorkerLimits } from './attempt.ts';
import { type Clock, systemClock } from './clock.ts';
import type { Claim, FollowUps, Queue, WorkerIdentity } from './queue.ts';
import { createWorkerIdentity } from './worker-identity.ts';

export interface WorkerOptions {
  readonly queue: Queue;
  /** Each lane's tasks run beside those of the others. */
  readonly lanes: readonly WorkerLane[];
  readonly logger: Logger;
  /** Of this process, unless given. */
  readonly identity?: WorkerIdentity;
  readonly clock?: Clock;
  /** As Math.random. */
  readonly random?: () => number;
}

export interface WorkerLane {
  readonly name: string;
  /** How many tasks at once. */
  readonly concurrency: number;
  readonly run: Work;
  readonly limits: WorkerLimits;
  /** Whether the failure of an attempt may pass; any other fails the task at once. */
  isTransient(error: AppError): boolean;
  /** What is submitted when a task ends, in whatever way. */
  readonly followUps?: FollowUps;
  /** Told when an attempt is over, in whatever way, and its end is written. */
  left?(id: string): Promise<void>;
}

export interface Worker {
  /** Takes no more, stops what runs and gives it back. */
  stop(): Promise<void>;
}

/** How long one call waits for a task. */
const CLAIM_MS = 5000;
/** Between attempts to reach a queue that does not answer: it grows to the second. */
const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 5000;

export function startWorker(options: WorkerOptions): Worker {
  const { queue, lanes, logger, clock = systemClock, random = Math.random } = options;
  const worker = options.identity ?? createWorkerIdentity();
  const stopping = new AbortController();
  const names = lanes.map(({ name }) => name);
  const loops = lanes.map((lane) =>
    takeTasks(lane, {
      queue,
      worker,
      attempt: { logger, clock, random, stopping: stopping.signal, lane },
    }),
  );
  const beats = keepBeating(
    { queue, worker, names, logger, stopping: stopping.signal },
    Math.min(...lanes.map(({ limits }) => limits.heartbeatMs)),
  );
  let stopped: Promise<void> | undefined;
  return {
    stop() {
      stopped ??= (async () => {
        stopping.abort();
        await Promise.all([...loops, beats]);
        // Nobody waits for its beats any more; without this they are forgotten a minute later.
        await queue.leave(worker).catch(() => {});
      })();
      return stopped;
    },
  };
}

interface LoopContext {
  readonly queue: Queue;
  readonly worker: WorkerIdentity;
  readonly attempt: AttemptContext;
}

async function takeTasks(lane: WorkerLane, { queue, worker, attempt }: LoopContext): Promise<void> {
  const { stopping: signal, logger } = attempt;
  const running = new Set<Promise<void>>();
  let pauseMs = FIRST_PAUSE_MS;
  while (!signal.aborted) {
    if (running.size >= lane.concurrency) {
      await Promise.race(running);
      continue;
    }
    try {
      const claim = await queue.claim(lane.name, { worker, waitMs: CLAIM_MS, signal });
      pauseMs = FIRST_PAUSE_MS;
      if (claim === undefined) continue;
      const run = runClaim(claim, { lane, attempt }).finally(() => running.delete(run));
      running.add(run);
    } catch (thrown) {
      if (signal.aborted) break;
      const { code, message } = toAppError(thrown);
      logger.warn({ lane: lane.name, code, reason: message }, 'The queue gives no task; trying again');
      await sleep(pauseMs, signal).catch(() => {});
      pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
    }
  }
  await Promise.all(running);
}

/** Never throws: the queue gives the task to somebody else if its end could not be written. */
async function runClaim(
  claim: Claim,
  { lane, attempt }: { readonly lane: WorkerLane; readonly attempt: AttemptContext },
): Promise<void> {
  try {
    await runAttempt(claim, attempt);
    await lane.left?.(claim.task.id);
  } catch (thrown) {
    const { code, message } = toAppError(thrown);
    const fields = { lane: claim.task.lane, task: claim.task.id, attempt: claim.task.attempt, code };
    attempt.logger.error({ ...fields, reason: message }, 'The end of an attempt could not be written');
  }
}

async function keepBeating(
  {
    queue,
    worker,
    names,
    logger,
    stopping,
  }: {
    readonly queue: Queue;
    readonly worker: WorkerIdentity;
    readonly names: readonly string[];
    readonly logger: Logger;
    readonly stopping: AbortSignal;
  },
  everyMs: number,
): Promise<void> {
  let isSilent = false;
  while (!stopping.aborted) {
    try {
      await queue.beat(worker, names);
      isSilent = false;
    } catch (thrown) {
      const { code, message } = toAppError(thrown);
      if (!isSilent)
        logger.warn({ code, reason: message }, 'The queue cannot be told that this worker lives');
      isSilent = true;
    }
    await sleep(everyMs, stopping).catch(() => {});
  }
}
