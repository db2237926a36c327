/**
 * The contract of a durable queue, kept by SQLite (`sqlite-queue.ts`) and by Redis with BullMQ (`redis-queue.ts`); one suite of tests holds for both.
 *
 * What is submitted is written before `submit` returns: SQLite has it on the disk, Redis as safely as it is configured. A task is claimed by one
 * worker at a time; each claim has a name of its own, and whatever a claim writes is refused with `claim_lost` once another has the task, or once
 * the queue forgot it. A worker that is gone is noticed by its silence, measured by the clock of whoever waits and never by the time of day, or at
 * once where its process is known to have ended.
 */
import type { WireError } from '../base/errors.ts';
import type { Json, NewTask, Task, TaskState, TaskSummary } from './task.ts';

export interface Queue {
  /**
   * Throws `queue_full` with the seconds to wait when its lane holds as many waiting tasks as it may, `idempotency_conflict` for a key with another
   * fingerprint, and `queue_unavailable`. With a key or an id that is known it changes nothing, full or not, and gives the task that has it.
   */
  submit(task: NewTask): Promise<Submission>;
  /** Throws `queue_full` as `submit` would now, so that a large upload can be refused before it is read. */
  requireRoom(lane: string): Promise<void>;
  /** The task that has the key, whatever its fingerprint. */
  findByKey(lane: string, key: string): Promise<Task | undefined>;
  get(id: string): Promise<Task | undefined>;
  /** As `get`, without reading its output: for whoever looks again and again. */
  look(id: string): Promise<TaskSummary | undefined>;
  /** Newest first. */
  list(filter: TaskFilter): Promise<TaskPage>;
  /**
   * A waiting task ends at once, with what follows from that; a running one when its worker has stopped. Throws `task_state` for one that has
   * ended, `task_not_found`.
   */
  cancel(id: string, followUps?: FollowUps): Promise<Task>;
  /** Submits one that failed or was cancelled afresh, its output kept until the work gives another. Throws `task_state` for any other, `task_not_found`, `queue_full`. */
  requeue(id: string): Promise<Task>;
  /** How many wait, those that wait for another attempt among them, and how many run. */
  depth(lane: string): Promise<{ readonly waiting: number; readonly running: number }>;
  /**
   * Takes one whose worker is gone, or the next task of a lane, and waits for one up to `waitMs`; undefined when none came. Throws when the signal
   * fires; what was taken in that moment is given back. A task that is to be cancelled, or has lost many workers, is given as well: whoever claims
   * it ends it, as only he knows what follows from that.
   */
  claim(lane: string, options: ClaimOptions): Promise<Claim | undefined>;
  /** Says that a worker is alive; it is forgotten after `WORKER_MEMORY_MS` without. */
  beat(worker: WorkerIdentity, lanes: readonly string[]): Promise<void>;
  /** Forgets a worker that ends. */
  leave(worker: WorkerIdentity): Promise<void>;
  workers(): Promise<readonly WorkerBeat[]>;
  /** Removes tasks that ended longer ago than they are kept, and gives the ids of those it removed; other queues may remove theirs by themselves. */
  sweep(): Promise<readonly string[]>;
  /** A task with all that belongs to it, as text that only `restore` of any queue reads; undefined when there is none. */
  snapshot(id: string): Promise<string | undefined>;
  /** Takes such a task, waiting or ended, full lane or not; false when its id or its key is known here. Throws `task_state` for one that runs. */
  restore(snapshot: string): Promise<boolean>;
  /** Whether it answers now. */
  isConnected(): Promise<boolean>;
  close(): Promise<void>;
}

export interface Submission {
  readonly task: Task;
  /** False when it was there already, by its idempotency key or its id. */
  readonly isNew: boolean;
}

export interface TaskFilter {
  readonly lane: string;
  /** Undefined: all. */
  readonly states?: readonly TaskState[] | undefined;
  readonly limit: number;
  /** Of the page before. */
  readonly cursor?: string | undefined;
}

export interface TaskPage {
  readonly tasks: readonly TaskSummary[];
  /** Undefined on the last page. */
  readonly cursor: string | undefined;
}

export interface ClaimOptions {
  readonly worker: WorkerIdentity;
  readonly waitMs: number;
  readonly signal: AbortSignal;
}

/** Told apart over all machines and restarts. */
export interface WorkerIdentity {
  /** Random, one for each start. */
  readonly id: string;
  /** For people: `NAME@HOST`. */
  readonly name: string;
  /** Where process numbers mean the same; undefined where that cannot be told. */
  readonly host: string | undefined;
  readonly pid: number;
  /** Tells a process from a later one with its number; undefined where the system does not say. */
  readonly processStart: string | undefined;
}

export interface WorkerBeat {
  readonly id: string;
  readonly name: string;
  readonly lanes: readonly string[];
  /** Since its last sign of life. */
  readonly silentMs: number;
}

/**
 * One attempt at one task. Every method throws `claim_lost` once the task is another's, and `queue_unavailable` when the queue does not answer;
 * then the change may have been made or not, and to ask for the same again is safe.
 */
export interface Claim {
  /** As it was when it was claimed. */
  readonly task: Task;
  /** Shows what the work is at; output is kept even if the work fails later. Throws `result_too_large`. */
  update(change: TaskChange): Promise<void>;
  /** To be called often, or the task is taken away. Says whether the work is to stop. */
  beat(): Promise<'go on' | 'cancel'>;
  /** Ends it, and submits what follows from it in the same moment, full lane or not. Throws `result_too_large` and changes nothing then. */
  complete(output: Json, followUps?: FollowUps): Promise<void>;
  fail(error: WireError, followUps?: FollowUps): Promise<void>;
  /** Waits for another attempt. Throws `cancelled` when it was asked to stop: then `cancelled` below is its end. */
  retryLater(error: WireError, afterMs: number): Promise<void>;
  /** After it was asked to stop. */
  cancelled(followUps?: FollowUps): Promise<void>;
  /** Gives it back unharmed: the next claim has the same attempt number. Throws `cancelled` as `retryLater` does. */
  release(): Promise<void>;
}

/** What is submitted in the moment in which a task ends, full lane or not. Called with the task as it has ended; may be called twice for one end. */
export type FollowUps = (ended: TaskSummary) => readonly NewTask[];

export interface TaskChange {
  /** Another than before begins at progress 0. */
  readonly stage?: string | undefined;
  readonly progress?: number | undefined;
  readonly output?: Json | undefined;
}

export interface QueueLimits {
  /** Most waiting tasks, by lane; a lane that is not named has no limit. */
  readonly maxWaiting: Readonly<Record<string, number>>;
  /** Of the JSON of one output. */
  readonly maxOutputBytes: number;
  /** A claim that is silent for so long is another's to take. */
  readonly leaseMs: number;
  /** How long a task is kept after its end. */
  readonly retentionMs: number;
}

/** As clients of the seed's /health read it: a worker that was silent for 60 s is not active. */
export const WORKER_MEMORY_MS = 60_000;
