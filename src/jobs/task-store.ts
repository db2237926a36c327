/** What SQLite and Redis each do in their own way; `durable-queue.ts` makes a `Queue` of it, so that every rule of tasks is written once. */
import type { TaskFilter, WorkerBeat, WorkerIdentity } from './queue.ts';
import type { StoredTask, TaskRecord } from './record.ts';
import type { Beating } from './silence.ts';

export interface TaskStore {
  /** In one step. A known key or id gives its task; otherwise `full` when `maxWaiting` wait in the lane already. */
  insert(task: StoredTask, maxWaiting: number | undefined): Promise<Inserted | 'full'>;
  /**
   * Reads a task, asks what becomes of it, and writes that in one step: nobody else's change comes between. `decide` may be asked more than once;
   * undefined in: there is no such task; undefined out: nothing changes. What it throws is thrown.
   */
  change(id: string, decide: Decide): Promise<'changed' | 'unchanged' | 'full'>;
  read(id: string): Promise<StoredTask | undefined>;
  /** Without its output, which may be megabytes. */
  entry(id: string): Promise<Pick<StoredTask, 'record' | 'input'> | undefined>;
  findByKey(lane: string, key: string): Promise<StoredTask | undefined>;
  page(filter: TaskFilter): Promise<StoredPage>;
  counts(lane: string): Promise<{ readonly waiting: number; readonly running: number }>;
  /** How long the last attempts of the lane ran that ended, a handful of them. */
  recentRunsMs(lane: string): Promise<readonly number[]>;
  /** Which task is to be claimed next; waits for one. Somebody else may be told the same. Throws when the signal fires. */
  next(
    lane: string,
    wait: { readonly waitMs: number; readonly signal: AbortSignal },
  ): Promise<string | undefined>;
  /** Hears that a task that `next` named was not claimed. */
  dismiss(id: string): Promise<void>;
  running(lane: string): Promise<readonly RunningClaim[]>;
  /** Counts a sign of life; undefined when the claim no longer has the task. */
  beat(id: string, token: string): Promise<'go on' | 'cancel' | undefined>;
  beatWorker(worker: WorkerIdentity, lanes: readonly string[]): Promise<void>;
  forgetWorker(worker: WorkerIdentity): Promise<void>;
  workers(): Promise<readonly (WorkerBeat & { readonly identity: WorkerIdentity })[]>;
  sweep(): Promise<readonly string[]>;
  /** Takes a task as it is, ended or waiting; false when its id or its key is known. `keepMs`: how long from now, of one that has ended. */
  restore(task: StoredTask, keepMs: number | undefined): Promise<boolean>;
  isConnected(): Promise<boolean>;
  close(): Promise<void>;
}

export interface Inserted {
  readonly task: StoredTask;
  readonly isNew: boolean;
}

export interface Change {
  readonly record: TaskRecord;
  /** Undefined: as it was. */
  readonly output?: string | undefined;
  /** Inserted with it unless their ids or keys are known. */
  readonly followUps?: readonly StoredTask[] | undefined;
  /** For a task that waits afresh: behind all others of its priority, and only where there is room. */
  readonly afresh?: { readonly maxWaiting: number | undefined } | undefined;
}

export type Decide = (stored: Pick<StoredTask, 'record' | 'input'> | undefined) => Change | undefined;

export interface StoredPage {
  readonly entries: readonly Pick<StoredTask, 'record' | 'input'>[];
  readonly cursor: string | undefined;
}

export interface RunningClaim extends Beating {
  readonly claimant: WorkerIdentity;
}
