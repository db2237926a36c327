/** The rules of the queue, over whichever store keeps the tasks. */
import { randomUUID } from 'node:crypto';
import { abortError, throwIfAborted } from '../base/abort.ts';
import { AppError } from '../base/errors.ts';
import { createClaim } from './claim.ts';
import { type Clock, systemClock } from './clock.ts';
import type { ClaimOptions, FollowUps, Queue, QueueLimits, TaskFilter, WorkerIdentity } from './queue.ts';
import { newRecord, type StoredTask, toSummary, toTask } from './record.ts';
import { watchSilence } from './silence.ts';
import type { NewTask, Task } from './task.ts';
import type { TaskStore } from './task-store.ts';
import { cancelled, claimWaiting, requeued, requireStill, takeOver } from './transitions.ts';
import { hasProcessEnded } from './worker-identity.ts';

/** How often whoever waits for a task looks after the workers of the others: at once, to a person. */
const LOOK_MS = 500;
const MAX_RETRY_SECONDS = 60;

export function createQueue(store: TaskStore, limits: QueueLimits, clock: Clock = systemClock): Queue {
  return new DurableQueue(store, limits, clock);
}

class DurableQueue implements Queue {
  readonly #store: TaskStore;
  readonly #limits: QueueLimits;
  readonly #clock: Clock;
  readonly #silence;
  readonly #lookMs: number;
  /** By lane, on the clock that never goes back. */
  readonly #lastLookMs = new Map<string, number>();

  constructor(store: TaskStore, limits: QueueLimits, clock: Clock) {
    this.#store = store;
    this.#limits = limits;
    this.#clock = clock;
    this.#silence = watchSilence({ clock, leaseMs: limits.leaseMs });
    this.#lookMs = Math.min(LOOK_MS, limits.leaseMs / 6);
  }

  async submit(task: NewTask) {
    const inserted = await this.#store.insert(
      newRecord(task, this.#clock.now()),
      this.#maxWaiting(task.lane),
    );
    if (inserted === 'full') throw await this.#full(task.lane);
    if (!inserted.isNew) requireSameFingerprint(inserted.task, task);
    return { task: toTask(inserted.task), isNew: inserted.isNew };
  }

  async requireRoom(lane: string) {
    const maxWaiting = this.#maxWaiting(lane);
    if (maxWaiting === undefined) return;
    const { waiting } = await this.#store.counts(lane);
    if (waiting >= maxWaiting) throw await this.#full(lane);
  }

  async findByKey(lane: string, key: string) {
    return optionalTask(await this.#store.findByKey(lane, key));
  }

  async get(id: string) {
    return optionalTask(await this.#store.read(id));
  }

  async look(id: string) {
    const entry = await this.#store.entry(id);
    return entry && toSummary(entry);
  }

  async list(filter: TaskFilter) {
    const { entries, cursor } = await this.#store.page(filter);
    return { tasks: entries.map(toSummary), cursor };
  }

  async cancel(id: string, followUps?: FollowUps) {
    await this.#store.change(id, (stored) => {
      const { record, input } = requireFound(stored, id);
      const now = this.#clock.now();
      const next = cancelled(record, now);
      if (next === record) return undefined;
      if (next.state === 'running') return { record: next };
      return { record: next, followUps: newRecords(followUps?.(toSummary({ record: next, input })), now) };
    });
    return this.#require(id);
  }

  async requeue(id: string) {
    let lane = '';
    const changed = await this.#store.change(id, (stored) => {
      const { record } = requireFound(stored, id);
      lane = record.lane;
      return {
        record: requeued(record, this.#clock.now()),
        afresh: { maxWaiting: this.#maxWaiting(lane) },
      };
    });
    if (changed === 'full') throw await this.#full(lane);
    return this.#require(id);
  }

  depth(lane: string) {
    return this.#store.counts(lane);
  }

  async claim(lane: string, { worker, waitMs, signal }: ClaimOptions) {
    for (let leftMs = waitMs; ; leftMs -= this.#lookMs) {
      throwIfAborted(signal);
      const claim =
        (await this.#claimLost(lane, worker)) ??
        (await this.#claimNext(lane, { worker, waitMs: Math.min(leftMs, this.#lookMs), signal }));
      if (claim !== undefined && signal.aborted) {
        await claim.release();
        throw abortError(signal);
      }
      if (claim !== undefined || leftMs <= this.#lookMs) return claim;
    }
  }

  beat(worker: WorkerIdentity, lanes: readonly string[]) {
    return this.#store.beatWorker(worker, lanes);
  }

  leave(worker: WorkerIdentity) {
    return this.#store.forgetWorker(worker);
  }

  async workers() {
    const beats = await this.#store.workers();
    return beats
      .filter(({ identity }) => !hasProcessEnded(identity))
      .map(({ id, name, lanes, silentMs }) => ({ id, name, lanes, silentMs }));
  }

  sweep() {
    return this.#store.sweep();
  }

  async snapshot(id: string) {
    const stored = await this.#store.read(id);
    if (stored === undefined) return undefined;
    const { endedAt } = stored.record;
    const agedMs = endedAt === undefined ? 0 : Math.max(0, this.#clock.now() - Date.parse(endedAt));
    const keepMs = endedAt === undefined ? undefined : Math.max(1, this.#limits.retentionMs - agedMs);
    return JSON.stringify({ stored, keepMs } satisfies Snapshot);
  }

  async restore(snapshot: string) {
    const { stored, keepMs } = JSON.parse(snapshot) as Snapshot;
    requireStill(stored.record);
    return this.#store.restore(stored, keepMs);
  }

  isConnected() {
    return this.#store.isConnected();
  }

  close() {
    return this.#store.close();
  }

  async #claimNext(lane: string, options: ClaimOptions) {
    for (let waitMs = options.waitMs; ; waitMs = 0) {
      const id = await this.#store.next(lane, { waitMs, signal: options.signal });
      if (id === undefined) return undefined;
      const claim = { token: randomUUID(), worker: options.worker };
      const isMine = await this.#store.change(id, (stored) => {
        const record = stored && claimWaiting(stored.record, claim, this.#clock.now());
        return record && { record };
      });
      if (isMine === 'changed') return this.#give(id, claim.token);
      await this.#store.dismiss(id);
    }
  }

  /** A task whose worker is gone, if it is time to look again and there is one. */
  async #claimLost(lane: string, worker: WorkerIdentity) {
    const now = this.#clock.elapsed();
    const last = this.#lastLookMs.get(lane);
    if (last !== undefined && now - last < this.#lookMs) return undefined;
    this.#lastLookMs.set(lane, now);
    const running = await this.#store.running(lane);
    const silent = new Set(this.#silence.look(lane, running).map(({ token }) => token));
    for (const { id, token: lostToken, claimant } of running) {
      if (!silent.has(lostToken) && !hasProcessEnded(claimant)) continue;
      const claim = { token: randomUUID(), worker, lostToken };
      const isMine = await this.#store.change(id, (stored) => {
        const record = stored && takeOver(stored.record, claim, this.#clock.now());
        return record && { record };
      });
      // Others may be gone as well; whoever claims next looks at once.
      if (isMine === 'changed') {
        this.#lastLookMs.delete(lane);
        return this.#give(id, claim.token);
      }
    }
    return undefined;
  }

  async #give(id: string, token: string) {
    const task = await this.#require(id);
    return createClaim({ store: this.#store, clock: this.#clock, limits: this.#limits }, { task, token });
  }

  async #require(id: string): Promise<Task> {
    return toTask(requireFound(await this.#store.read(id), id));
  }

  #maxWaiting(lane: string): number | undefined {
    return this.#limits.maxWaiting[lane];
  }

  /** Places come free one after another: a run's length, shared by all that run at once. */
  async #full(lane: string): Promise<AppError> {
    const [runs, { waiting, running }] = [
      await this.#store.recentRunsMs(lane),
      await this.#store.counts(lane),
    ];
    const meanMs = runs.reduce((sum, ms) => sum + ms, 0) / Math.max(1, runs.length);
    const seconds = Math.ceil(meanMs / 1000 / Math.max(1, running));
    return new AppError(
      'queue_full',
      `${waiting} tasks wait, which is all that the queue takes. Try again later.`,
      { retryAfterSeconds: Math.min(MAX_RETRY_SECONDS, Math.max(1, seconds)) },
    );
  }
}

interface Snapshot {
  readonly stored: StoredTask;
  /** Of what has ended. */
  readonly keepMs?: number | undefined;
}

function newRecords(tasks: readonly NewTask[] | undefined, now: number): StoredTask[] | undefined {
  return tasks?.map((task) => newRecord(task, now));
}

function optionalTask(stored: StoredTask | undefined): Task | undefined {
  return stored && toTask(stored);
}

function requireFound<Stored>(stored: Stored | undefined, id: string): Stored {
  if (stored !== undefined) return stored;
  throw new AppError('task_not_found', `There is no task ${id}: it never was, or it is no longer kept.`);
}

function requireSameFingerprint({ record }: StoredTask, { idempotency }: NewTask): void {
  if (idempotency === undefined || record.idempotency?.key !== idempotency.key) return;
  if (record.idempotency.fingerprint === idempotency.fingerprint) return;
  throw new AppError(
    'idempotency_conflict',
    'This idempotency key was used for another request. Take a new key for each.',
  );
}
