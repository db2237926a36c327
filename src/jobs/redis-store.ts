/** The records of tasks in Redis, and what BullMQ is told after each of their changes. */
import { sleep } from '../base/abort.ts';
import { AppError, toAppError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { Clock } from './clock.ts';
import { type QueueLimits, type TaskFilter, WORKER_MEMORY_MS, type WorkerIdentity } from './queue.ts';
import { dueAt, isDue, type StoredTask, type TaskRecord } from './record.ts';
import { type RedisClient, redisError } from './redis-connection.ts';
import type { BullDelivery, Deliverable } from './redis-delivery.ts';
import { BEAT, CHANGE, INSERT, keys, SWEEP, toScript } from './redis-scripts.ts';
import { hasEnded } from './task.ts';
import type { Change, Decide, TaskStore } from './task-store.ts';

export interface RedisStoreOptions {
  readonly url: string;
  /** Of the database of results. */
  readonly client: RedisClient;
  /** BullMQ's. */
  readonly jobs: RedisClient;
  readonly delivery: BullDelivery;
  readonly limits: QueueLimits;
  readonly logger: Logger;
  readonly clock: Clock;
}

/** How often whoever waits for tasks of a lane sees whether each that waits has its job. */
const RECONCILE_MS = 5000;
const RECONCILED_AT_ONCE = 500;
/** Changes of one task at one moment: a beat is none of them, so that few ever meet. */
const MOST_CONFLICTS = 100;
/** BullMQ waits for Redis as long as it takes; nobody waits for BullMQ that long. */
const DELIVERY_MS = 5000;
/** /health waits for it. */
const PING_MS = 2000;
const READY_POLL_MS = 20;
const PAGE = 100;
const MOST_SWEPT = 200;

export class RedisStore implements TaskStore {
  readonly #options: RedisStoreOptions;
  readonly #client: RedisClient;
  readonly #delivery: BullDelivery;
  readonly #clock: Clock;
  /** By lane, of the clock of the process; empty when it is time. */
  readonly #reconciledMs = new Map<string, number>();
  /** By lane, where the next look begins. */
  readonly #cursors = new Map<string, string>();

  constructor(options: RedisStoreOptions) {
    this.#options = options;
    this.#client = options.client;
    this.#delivery = options.delivery;
    this.#clock = options.clock;
  }

  reconcileSoon(): void {
    this.#reconciledMs.clear();
  }

  async insert(task: StoredTask, maxWaiting: number | undefined) {
    for (;;) {
      const id = await this.#ask(() => this.#client.eval(INSERT, 0, toScript(task), maxWaiting ?? -1, 0, ''));
      if (id === '') return 'full';
      if (id === 'new') {
        await this.#tell(() => this.#delivery.add(this.#deliverable(task.record)));
        return { task, isNew: true };
      }
      const known = await this.read(id as string);
      // Its time was over in this moment.
      if (known !== undefined) return { task: known, isNew: false };
    }
  }

  async change(id: string, decide: Decide) {
    for (let tries = 0; tries < MOST_CONFLICTS; tries += 1) {
      const entry = await this.entry(id);
      const change = decide(entry);
      if (change === undefined) return 'unchanged';
      const result = await this.#swap(entry!, change);
      if (result === 'conflict') continue;
      if (result === 'changed') await this.#tell(() => this.#settle(entry!.record, change));
      return result;
    }
    throw new AppError('queue_unavailable', `The task ${id} changes too often to be written.`);
  }

  async read(id: string) {
    const [record, input, output] = await this.#ask(() =>
      this.#client.hmget(keys.task(id), 'record', 'input', 'output'),
    );
    return record && input
      ? { record: JSON.parse(record) as TaskRecord, input, output: output ?? undefined }
      : undefined;
  }

  async entry(id: string): Promise<Pick<StoredTask, 'record' | 'input'> | undefined> {
    const [record, input] = await this.#ask(() => this.#client.hmget(keys.task(id), 'record', 'input'));
    return record && input ? { record: JSON.parse(record) as TaskRecord, input } : undefined;
  }

  async findByKey(lane: string, key: string) {
    const id = await this.#ask(() => this.#client.get(keys.idempotency(lane, key)));
    return id === null ? undefined : this.read(id);
  }

  async page({ lane, states, limit, cursor }: TaskFilter) {
    const found: { number: string; entry: Pick<StoredTask, 'record' | 'input'> }[] = [];
    let before = cursor === undefined ? '+inf' : `(${cursor}`;
    while (found.length <= limit) {
      const ids = await this.#ask(() =>
        this.#client.zrevrangebyscore(keys.all(lane), before, '-inf', 'WITHSCORES', 'LIMIT', 0, PAGE),
      );
      if (ids.length === 0) break;
      const pairs = Array.from({ length: ids.length / 2 }, (_, at) => ({
        id: ids[2 * at]!,
        number: ids[2 * at + 1]!,
      }));
      const entries = await Promise.all(pairs.map(({ id }) => this.entry(id)));
      for (const [at, entry] of entries.entries()) {
        if (entry === undefined || (states !== undefined && !states.includes(entry.record.state))) continue;
        found.push({ number: pairs[at]!.number, entry });
      }
      before = `(${pairs.at(-1)!.number}`;
    }
    const shown = found.slice(0, limit);
    return {
      entries: shown.map(({ entry }) => entry),
      cursor: found.length > limit ? shown.at(-1)!.number : undefined,
    };
  }

  async counts(lane: string) {
    const [waiting, running] = await this.#ask(() =>
      Promise.all([this.#client.scard(keys.waiting(lane)), this.#client.scard(keys.running(lane))]),
    );
    return { waiting, running };
  }

  async recentRunsMs(lane: string) {
    const runs = await this.#ask(() => this.#client.lrange(keys.runs(lane), 0, -1));
    return runs.map(Number);
  }

  async next(lane: string, wait: { readonly waitMs: number; readonly signal: AbortSignal }) {
    await this.#reconcile(lane);
    return this.#ask(() => this.#delivery.next(lane, wait));
  }

  async dismiss(id: string) {
    const entry = await this.entry(id);
    await this.#tell(async () => {
      if (entry?.record.state === 'waiting')
        await this.#delivery.delay(id, this.#deliverable(entry.record).delayMs);
      else await this.#delivery.end(id, undefined);
    });
  }

  async running(lane: string) {
    const ids = await this.#ask(() => this.#client.smembers(keys.running(lane)));
    const rows = await this.#ask(() =>
      Promise.all(ids.map((id) => this.#client.hmget(keys.task(id), 'record', 'beats'))),
    );
    return rows.flatMap(([text, beats]) => {
      const record = text ? (JSON.parse(text) as TaskRecord) : undefined;
      if (record?.state !== 'running') return [];
      return [{ id: record.id, token: record.token!, claimant: record.claimant!, beats: Number(beats) }];
    });
  }

  async beat(id: string, token: string) {
    const answer = await this.#ask(() => this.#client.eval(BEAT, 0, id, token));
    if (answer === '') {
      this.#delivery.forget(id);
      return undefined;
    }
    await this.#tell(() => this.#delivery.renew(id));
    return answer as 'go on' | 'cancel';
  }

  async beatWorker(worker: WorkerIdentity, lanes: readonly string[]) {
    const value = JSON.stringify({ identity: worker, lanes });
    await this.#ask(() =>
      this.#client
        .multi()
        .sadd(keys.workers, worker.id)
        .set(keys.worker(worker.id), value, 'PX', WORKER_MEMORY_MS)
        .exec(),
    );
  }

  async forgetWorker({ id }: WorkerIdentity) {
    await this.#ask(() => this.#client.multi().srem(keys.workers, id).del(keys.worker(id)).exec());
  }

  async workers() {
    const ids = await this.#ask(() => this.#client.smembers(keys.workers));
    const found = await this.#ask(() =>
      Promise.all(
        ids.map(async (id) => {
          const [value, leftMs] = await Promise.all([
            this.#client.get(keys.worker(id)),
            this.#client.pttl(keys.worker(id)),
          ]);
          if (value === null) await this.#client.srem(keys.workers, id);
          return { value, leftMs };
        }),
      ),
    );
    return found.flatMap(({ value, leftMs }) => {
      if (value === null) return [];
      const { identity, lanes } = JSON.parse(value) as { identity: WorkerIdentity; lanes: string[] };
      const silentMs = Math.max(0, WORKER_MEMORY_MS - leftMs);
      return [{ id: identity.id, name: identity.name, lanes, silentMs, identity }];
    });
  }

  async sweep() {
    const swept: string[] = [];
    for (;;) {
      const ids = (await this.#ask(() => this.#client.eval(SWEEP, 0, MOST_SWEPT))) as string[];
      swept.push(...ids);
      if (ids.length < MOST_SWEPT) return swept;
    }
  }

  async restore(task: StoredTask, keepMs: number | undefined) {
    const keep = keepMs === undefined ? this.#options.limits.retentionMs : Math.max(1, keepMs);
    const id = await this.#ask(() =>
      this.#client.eval(INSERT, 0, toScript(task), -1, keep, task.output ?? ''),
    );
    if (id !== 'new') return false;
    if (task.record.state === 'waiting')
      await this.#tell(() => this.#delivery.add(this.#deliverable(task.record)));
    return true;
  }

  async isConnected() {
    if (!(await this.#within(PING_MS, () => this.#client.ping()))) return false;
    // A process that asks at its start, such as a health check, has a connection that is still on its way.
    const { jobs } = this.#options;
    for (let waitedMs = 0; jobs.status !== 'ready' && waitedMs < PING_MS; waitedMs += READY_POLL_MS)
      await sleep(READY_POLL_MS);
    return jobs.status === 'ready';
  }

  async close() {
    await this.#delivery.close();
    this.#options.jobs.disconnect();
    this.#client.disconnect();
  }

  async #swap(
    { record: before, input }: Pick<StoredTask, 'record' | 'input'>,
    { record, output, followUps = [], afresh }: Change,
  ): Promise<'changed' | 'full' | 'conflict'> {
    const result = await this.#ask(() =>
      this.#client.eval(
        CHANGE,
        0,
        toScript({ record, input }),
        before.revision,
        afresh?.maxWaiting ?? -1,
        this.#options.limits.retentionMs,
        `[${followUps.map(toScript).join(',')}]`,
        output ?? '',
      ),
    );
    return result as 'changed' | 'full' | 'conflict';
  }

  /** After a change of the record. If the process ends before it is through, the job comes again or is added again. */
  async #settle(before: TaskRecord, { record, followUps = [] }: Change): Promise<void> {
    const { id, lane } = record;
    for (const next of followUps) await this.#delivery.add(this.#deliverable(next.record));
    if (record.state === 'waiting') {
      const { delayMs } = this.#deliverable(record);
      const isMoved =
        delayMs > 0 ? await this.#delivery.delay(id, delayMs) : await this.#delivery.release(id);
      if (!isMoved) await this.#delivery.deliver(this.#deliverable(record));
    } else if (hasEnded(record) && before.state === 'waiting') {
      await this.#delivery.remove(lane, id);
    } else if (hasEnded(record)) {
      await this.#delivery.end(id, record.state === 'complete' ? undefined : (record.error ?? CANCELLED));
    }
  }

  async #reconcile(lane: string): Promise<void> {
    const now = performance.now();
    const last = this.#reconciledMs.get(lane);
    if (last !== undefined && now - last < RECONCILE_MS) return;
    this.#reconciledMs.set(lane, now);
    // One of all workers is enough; the first look of a process is its own, as it may follow a restart of Redis.
    const isFree = await this.#ask(() =>
      this.#client.set(keys.reconciling(lane), '1', 'PX', RECONCILE_MS - 100, 'NX'),
    );
    if (isFree === null && last !== undefined) return;
    const [cursor, ids] = await this.#ask(() =>
      this.#client.sscan(keys.waiting(lane), this.#cursors.get(lane) ?? '0', 'COUNT', RECONCILED_AT_ONCE),
    );
    this.#cursors.set(lane, cursor);
    for (const id of ids) {
      const entry = await this.entry(id);
      if (entry?.record.state !== 'waiting') continue;
      const isTold = await this.#tell(() => this.#delivery.deliver(this.#deliverable(entry.record)));
      if (!isTold) return;
    }
  }

  #deliverable(record: TaskRecord): Deliverable {
    const { id, lane, priority } = record;
    const now = this.#clock.now();
    return { id, lane, priority, delayMs: isDue(record, now) ? 0 : dueAt(record) - now };
  }

  /** What BullMQ is told may be lost. Says whether it was not. */
  #tell(tell: () => Promise<unknown>): Promise<boolean> {
    return this.#within(DELIVERY_MS, tell);
  }

  /** Says whether it was done in time. */
  async #within(limitMs: number, work: () => Promise<unknown>): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined;
    try {
      const late = new Promise<never>((_resolve, reject) => {
        timer = setTimeout(() => reject(new Error('no answer in time')), limitMs);
      });
      await Promise.race([work(), late]);
      return true;
    } catch (thrown) {
      this.#options.logger.debug({ reason: toAppError(thrown).message }, 'Redis was not reached');
      return false;
    } finally {
      clearTimeout(timer);
    }
  }

  async #ask<T>(ask: () => Promise<T>): Promise<T> {
    try {
      return await ask();
    } catch (thrown) {
      throw redisError(thrown, this.#options.url);
    }
  }
}

const CANCELLED = { code: 'cancelled', message: 'The task was cancelled.' } as const;
