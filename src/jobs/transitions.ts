/**
 * How a task goes from one state to the next, as pure functions: both stores write what these give.
 *
 *     waiting -> running -> complete | failed | cancelled
 *     running -> waiting            (released, or to be tried again)
 *     running -> running            (its worker was gone, another has it)
 *     waiting -> cancelled
 *     failed | cancelled -> waiting (a person asked)
 */
import { AppError, type WireError } from '../base/errors.ts';
import type { TaskChange, WorkerIdentity } from './queue.ts';
import { isDue, isoTime, type TaskRecord } from './record.ts';
import { hasEnded, type TaskEvent, type TaskState } from './task.ts';

export type End = Extract<TaskState, 'complete' | 'failed' | 'cancelled'>;

/** Undefined when it is not to be taken now. */
export function claimWaiting(record: TaskRecord, claim: NewClaim, now: number): TaskRecord | undefined {
  return record.state === 'waiting' && isDue(record, now) ? claimed(record, claim, now) : undefined;
}

/** Takes a task from a claim that is gone; undefined when it is no longer that claim's. */
export function takeOver(
  record: TaskRecord,
  claim: NewClaim & { readonly lostToken: string },
  now: number,
): TaskRecord | undefined {
  if (record.state !== 'running' || record.token !== claim.lostToken) return undefined;
  const lost = changed(record, now, { lost: record.lost + 1 }, { event: 'lost', worker: record.worker });
  return claimed(lost, claim, now);
}

export interface NewClaim {
  readonly token: string;
  readonly worker: WorkerIdentity;
}

/** Throws `claim_lost` unless the claim still has the task. */
export function requireClaim(record: TaskRecord | undefined, token: string): TaskRecord {
  if (record?.state === 'running' && record.token === token) return record;
  throw claimLost();
}

export function claimLost(): AppError {
  return new AppError(
    'claim_lost',
    'The task is no longer this worker’s: it was silent for too long, or the queue forgot it.',
  );
}

export function updated(record: TaskRecord, change: TaskChange, now: number): TaskRecord {
  const isNewStage = change.stage !== undefined && change.stage !== record.stage;
  const progress = change.progress ?? (isNewStage ? 0 : record.progress);
  const values = { stage: change.stage ?? record.stage, progress: Math.min(1, Math.max(0, progress)) };
  return changed(
    record,
    now,
    values,
    isNewStage ? { event: 'stage', stage: change.stage, worker: record.worker } : undefined,
  );
}

export function ended(
  record: TaskRecord,
  { end, error }: { readonly end: End; readonly error?: WireError },
  now: number,
): TaskRecord {
  const values = {
    ...NOT_RUNNING,
    state: end,
    progress: end === 'complete' ? 1 : record.progress,
    error: end === 'complete' ? undefined : (error ?? record.error),
    endedAt: isoTime(now),
    retryAt: undefined,
    retryDelayMs: 0,
    ranMs: ranMs(record, now),
  };
  return changed(record, now, values, { event: end, worker: record.worker });
}

export function retried(
  record: TaskRecord,
  { error, afterMs }: { readonly error: WireError; readonly afterMs: number },
  now: number,
): TaskRecord {
  requireGoingOn(record);
  const values = {
    ...NOT_RUNNING,
    state: 'waiting' as const,
    error,
    retryAt: isoTime(now + afterMs),
    retryDelayMs: afterMs,
  };
  return changed(record, now, values, { event: 'retrying', worker: record.worker });
}

export function released(record: TaskRecord, now: number): TaskRecord {
  requireGoingOn(record);
  const values = { ...NOT_RUNNING, state: 'waiting' as const, attempt: record.attempt - 1 };
  return changed(record, now, values, { event: 'released', worker: record.worker });
}

/** Throws `task_state`. */
export function cancelled(record: TaskRecord, now: number): TaskRecord {
  if (hasEnded(record)) throw wrongState(record, 'cancelled: it has ended');
  if (record.state === 'waiting') return ended(record, { end: 'cancelled' }, now);
  return record.isCancelling ? record : changed(record, now, { isCancelling: true });
}

/** Throws `task_state`. */
export function requeued(record: TaskRecord, now: number): TaskRecord {
  if (record.state !== 'failed' && record.state !== 'cancelled')
    throw wrongState(record, 'submitted again: only one that failed or was cancelled is');
  const values = {
    state: 'waiting' as const,
    stage: undefined,
    progress: 0,
    error: undefined,
    attempt: 0,
    lost: 0,
    worker: undefined,
    token: undefined,
    startedAt: undefined,
    endedAt: undefined,
  };
  return changed(record, now, values, { event: 'requeued' });
}

/** Throws `task_state` for one that runs. */
export function requireStill(record: TaskRecord): void {
  if (record.state === 'running') throw wrongState(record, 'moved: stop the workers first');
}

/** The token stays: who could not hear that his end was written asks again, and is told by it. */
const NOT_RUNNING = { claimant: undefined, isCancelling: false };

function claimed(record: TaskRecord, { token, worker }: NewClaim, now: number): TaskRecord {
  const values = {
    state: 'running' as const,
    stage: undefined,
    progress: 0,
    attempt: record.attempt + 1,
    worker: worker.name,
    startedAt: isoTime(now),
    retryAt: undefined,
    retryDelayMs: 0,
    token,
    claimant: worker,
  };
  return changed(record, now, values, { event: 'claimed', worker: worker.name });
}

/** The event has the attempt that the task is at after it, but for `released`, which tells of the attempt that does not count. */
function changed(
  record: TaskRecord,
  now: number,
  values: Partial<TaskRecord>,
  event?: Pick<TaskEvent, 'event' | 'stage' | 'worker'>,
): TaskRecord {
  const next = { ...record, ...values, revision: record.revision + 1 };
  if (event === undefined) return next;
  const attempt = Math.max(record.attempt, next.attempt) * (event.event === 'requeued' ? 0 : 1);
  return { ...next, history: [...record.history, { at: isoTime(now), attempt, ...event }] };
}

/** By the time of day, as the processes that began and end it may be two; a jump of the clock spoils one hint. */
function ranMs({ startedAt }: TaskRecord, now: number): number {
  return startedAt === undefined ? 0 : Math.max(0, now - Date.parse(startedAt));
}

function requireGoingOn({ isCancelling }: TaskRecord): void {
  if (isCancelling) throw new AppError('cancelled', 'The task was cancelled.');
}

function wrongState({ id, state }: TaskRecord, what: string): AppError {
  return new AppError('task_state', `The task ${id} is ${state} and cannot be ${what}.`);
}
