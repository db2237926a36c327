/**
 * One attempt at one task, from its claim to its end: the work, its beats, and the four ways in which it is stopped: a cancellation, the limit of
 * time, the end of this worker, and a queue that was not reached for so long that another may have the task.
 */
import { sleep } from '../base/abort.ts';
import { AppError, toAppError, toWireError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { Clock } from './clock.ts';
import type { Claim, FollowUps, TaskChange } from './queue.ts';
import type { Json, Task } from './task.ts';
import { coalesceUpdates, type Updates } from './updates.ts';

/** What is done with a task. Gives its output; stops soon after the signal, whose reason says why. */
export type Work = (task: Task, context: WorkContext) => Promise<Json>;

export interface WorkContext {
  readonly signal: AbortSignal;
  /**
   * Shows what it is at; may be called often. Resolves when a stage or an output is written, and at once for progress, which is written by and by.
   * Throws `result_too_large`; never because the queue does not answer.
   */
  update(change: TaskChange): Promise<void>;
}

export interface WorkerLimits {
  readonly heartbeatMs: number;
  readonly leaseMs: number;
  /** How often it is tried again after a failure that may pass, and after the loss of its worker. */
  readonly retries: number;
  /** Before the first of them; doubled for each further one, and drawn from the upper half of that. */
  readonly retryDelayMs: number;
  /** Of one attempt. */
  readonly timeoutMs: number;
}

export interface AttemptContext {
  readonly lane: {
    readonly run: Work;
    readonly limits: WorkerLimits;
    isTransient(error: AppError): boolean;
    readonly followUps?: FollowUps;
  };
  readonly stopping: AbortSignal;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: () => number;
}

/** A worker that could not beat for this share of its lease stops by itself: the rest is for the stopping. */
const GIVE_UP_AT = 2 / 3;
/** Work that does not stop for so long after its signal is left to itself; whatever it gives then is dropped. */
const STOP_GRACE_MS = 10_000;
/** How long the end of an attempt is tried to be written while the queue does not answer: the work behind it may have taken hours. */
const FINISH_MS = 600_000;
/** The same for a worker that is being stopped. */
const STOPPING_FINISH_MS = 5000;
const FINISH_PAUSE_MS = 500;
const LONGEST_RETRY_DELAY_MS = 3_600_000;
/** What a timer takes; a longer limit is none. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Throws what kept the end from being written. */
export async function runAttempt(claim: Claim, context: AttemptContext): Promise<void> {
  const { lane, logger, clock } = context;
  const { task } = claim;
  const fields = { lane: task.lane, task: task.id, attempt: task.attempt };
  if (task.isCancelling) return finish(() => claim.cancelled(lane.followUps), context);
  if (task.lost > lane.limits.retries) {
    const error = new AppError(
      'claim_lost',
      `Its worker was gone in each of ${task.lost} attempts, so it is not tried again: see why workers end or hang at it.`,
    );
    logger.error({ ...fields, code: error.code }, 'The task has lost too many workers');
    return finish(() => claim.fail(toWireError(error), lane.followUps), context);
  }

  const begunMs = clock.elapsed();
  const stop = new AbortController();
  const updates = coalesceUpdates(claim, clock);
  const beating = keepClaim(claim, { context, stop });
  const timer = setTimeout(
    () => stop.abort(timeoutError(lane.limits.timeoutMs)),
    Math.min(lane.limits.timeoutMs, LONGEST_TIMER_MS),
  );
  const onStop = () => stop.abort(new AppError('shutting_down', 'The worker is being stopped.'));
  if (context.stopping.aborted) onStop();
  else context.stopping.addEventListener('abort', onStop, { once: true });
  logger.info(fields, 'Task begun');
  const outcome = await runWork(task, { lane, signal: stop.signal, update: updates.add });
  clearTimeout(timer);
  context.stopping.removeEventListener('abort', onStop);
  try {
    const reason = stop.signal.reason as AppError | undefined;
    await writeEnd({ claim, outcome, reason, updates }, context);
  } finally {
    beating.stop();
    await updates.drop();
  }
  logger.info(
    { ...fields, ms: Math.round(clock.elapsed() - begunMs), outcome: nameOf(outcome) },
    'Task left',
  );
}

/** Never throws. */
async function runWork(
  task: Task,
  { lane, ...work }: WorkContext & Pick<AttemptContext, 'lane'>,
): Promise<Outcome> {
  const ended = new AbortController();
  try {
    work.signal.throwIfAborted();
    const output = await Promise.race([lane.run(task, work), graceAfter(work.signal, ended.signal)]);
    return { output };
  } catch (thrown) {
    return { error: toAppError(thrown) };
  } finally {
    ended.abort();
  }
}

/** Rejects some time after the signal, with its reason; never settles once `ended` has fired. */
function graceAfter(signal: AbortSignal, ended: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const onAbort = () => {
      const timer = setTimeout(() => reject(signal.reason), STOP_GRACE_MS);
      ended.addEventListener('abort', () => clearTimeout(timer), { once: true });
    };
    signal.addEventListener('abort', onAbort, { once: true });
    ended.addEventListener('abort', () => signal.removeEventListener('abort', onAbort), { once: true });
  });
}

type Outcome = { readonly output: Json } | { readonly error: AppError };

interface Ending {
  readonly claim: Claim;
  readonly outcome: Outcome;
  /** Why the work was stopped from here; undefined when it ended by itself. */
  readonly reason: AppError | undefined;
  readonly updates: Updates;
}

async function writeEnd({ claim, outcome, reason, updates }: Ending, context: AttemptContext): Promise<void> {
  const { lane, random } = context;
  const { task } = claim;
  const fail = (error: AppError) =>
    finish(async () => {
      await updates.flush();
      await claim.fail(toWireError(error), lane.followUps);
    }, context);
  // What was complete before the signal came to it is complete, but for a claim that may be another's: then the fence decides.
  if ('output' in outcome) {
    await updates.drop();
    try {
      return await finish(() => claim.complete(outcome.output, lane.followUps), context);
    } catch (thrown) {
      const error = toAppError(thrown);
      if (error.code !== 'result_too_large') throw error;
      return fail(error);
    }
  }
  const stopped = async (write: () => Promise<void>) => {
    await updates.flush();
    await write();
  };
  if (reason?.code === 'cancelled')
    return finish(() => stopped(() => claim.cancelled(lane.followUps)), context);
  // Whoever could only not reach the queue gives the task back when he can: the others would have to wait for the lease.
  if (reason?.code === 'shutting_down' || reason?.code === 'claim_lost')
    return orCancelled(() => stopped(() => claim.release()), claim, context);
  const error = reason ?? outcome.error;
  // Attempts that were lost count: whatever ends it, a task has so many and no more.
  if (reason !== undefined || task.attempt > lane.limits.retries || !lane.isTransient(error))
    return fail(error);
  const delayMs = Math.min(lane.limits.retryDelayMs * 2 ** (task.attempt - 1), LONGEST_RETRY_DELAY_MS);
  const afterMs = Math.round(delayMs * (0.5 + random() / 2));
  const retry = () => claim.retryLater(toWireError(error), afterMs);
  return orCancelled(() => stopped(retry), claim, context);
}

/** What would wait again ends when it was cancelled in the meantime. */
async function orCancelled(write: () => Promise<void>, claim: Claim, context: AttemptContext): Promise<void> {
  try {
    await finish(write, context);
  } catch (thrown) {
    if (toAppError(thrown).code !== 'cancelled') throw thrown;
    await finish(() => claim.cancelled(context.lane.followUps), context);
  }
}

async function finish(write: () => Promise<void>, { clock, stopping }: AttemptContext): Promise<void> {
  const begunMs = clock.elapsed();
  for (;;) {
    try {
      return await write();
    } catch (thrown) {
      const { code } = toAppError(thrown);
      const limitMs = stopping.aborted ? STOPPING_FINISH_MS : FINISH_MS;
      const mayPass = code === 'queue_unavailable' || code === 'disk_full';
      if (!mayPass || clock.elapsed() - begunMs > limitMs) throw thrown;
      await sleep(FINISH_PAUSE_MS);
    }
  }
}

/** Beats until it is stopped; aborts the work when it is to be cancelled, when the claim is lost, and when it may be. */
function keepClaim(
  claim: Claim,
  { context, stop }: { readonly context: AttemptContext; readonly stop: AbortController },
): { stop(): void } {
  const { clock, lane, logger } = context;
  const { heartbeatMs, leaseMs } = lane.limits;
  const ended = new AbortController();
  let lastBeatMs = clock.elapsed();
  const beat = async () => {
    const askedMs = clock.elapsed();
    try {
      if ((await claim.beat()) === 'cancel') stop.abort(new AppError('cancelled', 'The task was cancelled.'));
      // Counted from before the asking: the others may have seen it since then.
      lastBeatMs = askedMs;
    } catch (thrown) {
      const error = toAppError(thrown);
      if (error.code === 'claim_lost') stop.abort(error);
      else logger.warn({ task: claim.task.id, code: error.code }, 'The queue does not take a beat');
    }
  };
  const watchdog = setInterval(
    () => {
      if (clock.elapsed() - lastBeatMs < leaseMs * GIVE_UP_AT) return;
      const message = `The queue was not reached for ${Math.round((leaseMs * GIVE_UP_AT) / 1000)} s, so that another worker may have the task.`;
      stop.abort(new AppError('claim_lost', message));
    },
    Math.max(10, leaseMs / 20),
  );
  const loop = async () => {
    while (!ended.signal.aborted) {
      await sleep(heartbeatMs, ended.signal).catch(() => {});
      if (!ended.signal.aborted) await beat();
    }
  };
  void loop();
  return {
    stop() {
      ended.abort();
      clearInterval(watchdog);
    },
  };
}

function timeoutError(timeoutMs: number): AppError {
  return new AppError(
    'timeout',
    `The task ran for ${timeoutMs / 1000} s, the longest that one attempt may take.`,
  );
}

function nameOf(outcome: Outcome): string {
  return 'output' in outcome ? 'complete' : outcome.error.code;
}
