/** A task as the stores keep it. */
import type { WorkerIdentity } from './queue.ts';
import type { Idempotency, Json, NewTask, Task, TaskSummary } from './task.ts';

/** All of a task but its input, which never changes, and its output, which is large. Plain JSON. */
export interface TaskRecord extends Omit<Task, 'input' | 'output'> {
  readonly idempotency: Idempotency | undefined;
  /** The name of the claim that it runs under, or ran under last; undefined when it was never claimed since it was submitted or requeued. */
  readonly token: string | undefined;
  readonly claimant: WorkerIdentity | undefined;
  /** How long after `now` its `retryAt` was: if more than that is left to wait, the clock was set back. */
  readonly retryDelayMs: number;
  /** How long the last attempt that ended had run; says roughly when a place is free. */
  readonly ranMs: number;
}

/** Input and output are JSON, as text: most who read a task pass them on. */
export interface StoredTask {
  readonly record: TaskRecord;
  readonly input: string;
  readonly output: string | undefined;
}

export function newRecord(task: NewTask, now: number): StoredTask {
  const { input, idempotency, ...rest } = task;
  const at = isoTime(now);
  const record: TaskRecord = {
    ...rest,
    idempotency,
    state: 'waiting',
    stage: undefined,
    progress: 0,
    error: undefined,
    attempt: 0,
    lost: 0,
    worker: undefined,
    isCancelling: false,
    submittedAt: at,
    startedAt: undefined,
    endedAt: undefined,
    retryAt: undefined,
    revision: 1,
    history: [{ at, event: 'submitted', attempt: 0 }],
    token: undefined,
    claimant: undefined,
    retryDelayMs: 0,
    ranMs: 0,
  };
  return { record, input: JSON.stringify(input), output: undefined };
}

export function toTask({ record, input, output }: StoredTask): Task {
  return {
    ...toSummary({ record, input }),
    output: output === undefined ? undefined : (JSON.parse(output) as Json),
  };
}

export function toSummary({ record, input }: Pick<StoredTask, 'record' | 'input'>): TaskSummary {
  const { idempotency, token, claimant, retryDelayMs, ranMs, ...task } = record;
  return { ...task, input: JSON.parse(input) as Json };
}

export function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}

/**
 * When a waiting task may be taken, for stores that ask by number: 0 at once. `isDue` is the judge; a store that looks by these may look at
 * `dueAt <= now OR dueAt > now + delay`.
 */
export function dueAt({ retryAt }: TaskRecord): number {
  return retryAt === undefined ? 0 : Date.parse(retryAt);
}

/** A clock that was set back must not add the hours that it lost to a delay of seconds. */
export function isDue(record: TaskRecord, now: number): boolean {
  const at = dueAt(record);
  return at <= now || at > now + record.retryDelayMs;
}
