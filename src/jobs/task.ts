/** One piece of durable work, whatever it does: the same value for the stores, the routes and the command line. */
import type { WireError } from '../base/errors.ts';

/** What JSON.parse gives. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** `complete`, `failed` and `cancelled` are the ends; of those, only `failed` and `cancelled` can be left again, by a retry that a person asked for. */
export const TASK_STATES = ['waiting', 'running', 'complete', 'failed', 'cancelled'] as const;
export type TaskState = (typeof TASK_STATES)[number];

/** Waiting tasks are taken by priority, then by age. */
export const PRIORITIES = ['high', 'normal', 'low'] as const;
export type Priority = (typeof PRIORITIES)[number];

/** What may be submitted. */
export interface NewTask {
  /** A UUID. The queue never makes one, so that what belongs to a task can lie ready under its name before it is submitted. */
  readonly id: string;
  /** Work of one kind, with workers of its own, such as `recordings`. */
  readonly lane: string;
  readonly priority: Priority;
  /** What the work needs to know. */
  readonly input: Json;
  /** At most one task for each key while it is kept. */
  readonly idempotency?: Idempotency | undefined;
}

export interface Idempotency {
  readonly key: string;
  /** Of what was asked: the same key with another fingerprint is a clash. */
  readonly fingerprint: string;
}

export interface Task extends Omit<NewTask, 'idempotency'> {
  readonly state: TaskState;
  /** What running work said last; kept when it ends. Undefined before the first stage of an attempt. */
  readonly stage: string | undefined;
  /** Of the stage, 0 to 1. */
  readonly progress: number;
  /** What work has given so far: partial while it runs and when it failed, all of it when it is complete. */
  readonly output: Json | undefined;
  /** Why it failed; while it waits or runs again, why the attempt before did. */
  readonly error: WireError | undefined;
  /** How often it was claimed since it was submitted, or retried by a person. 0 before the first claim. */
  readonly attempt: number;
  /** How many of those attempts ended because the worker was gone. Work that kills its workers is told by it. */
  readonly lost: number;
  /** Who has it, or had it last. */
  readonly worker: string | undefined;
  /** It is to stop; the worker has not yet. Only ever true of a running task. */
  readonly isCancelling: boolean;
  /** ISO 8601, UTC, milliseconds; as all times here, for people: nothing is decided by comparing them. */
  readonly submittedAt: string;
  /** Of the current or last attempt. */
  readonly startedAt: string | undefined;
  readonly endedAt: string | undefined;
  /** A task that waits for another attempt is not taken before. */
  readonly retryAt: string | undefined;
  /** Grows with every change of anything above. */
  readonly revision: number;
  /** Every change of its state and stage, oldest first. An end is in it exactly once for each time that it was waiting afresh. */
  readonly history: readonly TaskEvent[];
}

/** A task without what it has given: outputs are large, and lists are not. */
export type TaskSummary = Omit<Task, 'output'>;

export interface TaskEvent {
  readonly at: string;
  /** `submitted`, `claimed`, `stage`, `released` (given back by a worker that stops), `lost` (its worker was gone), `retrying`, `requeued` (by a person), or an end. */
  readonly event:
    | 'submitted'
    | 'claimed'
    | 'stage'
    | 'released'
    | 'lost'
    | 'retrying'
    | 'requeued'
    | 'complete'
    | 'failed'
    | 'cancelled';
  readonly attempt: number;
  readonly worker?: string | undefined;
  readonly stage?: string | undefined;
}

export function hasEnded({ state }: Pick<Task, 'state'>): boolean {
  return state !== 'waiting' && state !== 'running';
}
