/** Tasks in one SQLite file, for all processes of one machine. */
import { join } from 'node:path';
import { type Clock, systemClock } from './clock.ts';
import { createQueue } from './durable-queue.ts';
import {
  type Queue,
  type QueueLimits,
  type TaskFilter,
  WORKER_MEMORY_MS,
  type WorkerIdentity,
} from './queue.ts';
import { dueAt, type StoredTask, type TaskRecord } from './record.ts';
import { type Connection, type Row, SqliteDatabase, type SqlValue } from './sqlite-database.ts';
import { SqliteWake } from './sqlite-wake.ts';
import { PRIORITIES } from './task.ts';
import type { Change, Decide, TaskStore } from './task-store.ts';

export const TASK_FILE = 'tasks.db';

export interface SqliteQueueOptions {
  /** Holds `tasks.db`; made if needed. */
  readonly directory: string;
  readonly limits: QueueLimits;
  readonly clock?: Clock;
}

/** The file is opened when it is first needed, so that a bad one fails what is asked and not the whole program. */
export function openSqliteQueue({ directory, limits, clock = systemClock }: SqliteQueueOptions): Queue {
  return createQueue(new SqliteStore(join(directory, TASK_FILE), limits, clock), limits, clock);
}

/** Of a row, without its output. */
const ENTRY = 'number, record, input';
const RECENT_RUNS = 20;
/** A sweep holds the file for no longer than the removal of so many takes. */
const MOST_SWEPT = 200;

class SqliteStore implements TaskStore {
  readonly #database: SqliteDatabase;
  readonly #wake = new SqliteWake();
  readonly #limits: QueueLimits;
  readonly #clock: Clock;

  constructor(path: string, limits: QueueLimits, clock: Clock) {
    this.#database = new SqliteDatabase(path);
    this.#limits = limits;
    this.#clock = clock;
  }

  async insert(task: StoredTask, maxWaiting: number | undefined) {
    const inserted = await this.#database.write((connection) => {
      const known = findKnown(connection, task.record);
      if (known !== undefined) return { task: withOutput(connection, known), isNew: false };
      if (isFull(connection, task.record.lane, maxWaiting)) return 'full';
      insertRow(connection, task, undefined);
      return { task, isNew: true };
    });
    this.#wake.wake();
    return inserted;
  }

  async change(id: string, decide: Decide) {
    const changed = await this.#database.write((connection) => {
      const row = connection.get(`SELECT ${ENTRY} FROM tasks WHERE id = ?`, id);
      const next = decide(row && entryOf(row));
      if (next === undefined) return 'unchanged';
      if (next.afresh !== undefined && isFull(connection, next.record.lane, next.afresh.maxWaiting))
        return 'full';
      writeChange(connection, row!['number'] as number, next);
      return 'changed';
    });
    this.#wake.wake();
    return changed;
  }

  read(id: string) {
    return this.#database.read((connection) => {
      const row = connection.get(
        'SELECT record, input, output FROM tasks LEFT JOIN outputs USING (number) WHERE id = ?',
        id,
      );
      return row && storedOf(row);
    });
  }

  entry(id: string) {
    return this.#database.read((connection) => {
      const row = connection.get(`SELECT ${ENTRY} FROM tasks WHERE id = ?`, id);
      return row && entryOf(row);
    });
  }

  findByKey(lane: string, key: string) {
    return this.#database.read((connection) => {
      const row = connection.get(
        'SELECT record, input, output FROM tasks LEFT JOIN outputs USING (number) WHERE lane = ? AND key = ?',
        lane,
        key,
      );
      return row && storedOf(row);
    });
  }

  page({ lane, states, limit, cursor }: TaskFilter) {
    const before = cursor === undefined ? Number.MAX_SAFE_INTEGER : Number(cursor);
    return this.#database.read((connection) => {
      const marks = states?.map(() => '?').join(', ');
      const rows = connection.all(
        `SELECT ${ENTRY} FROM tasks WHERE lane = ? AND number < ? ${states === undefined ? '' : `AND state IN (${marks})`} ORDER BY number DESC LIMIT ?`,
        lane,
        before,
        ...(states ?? []),
        limit + 1,
      );
      const shown = rows.slice(0, limit);
      const next = rows.length > limit ? String(shown.at(-1)!['number']) : undefined;
      return { entries: shown.map(entryOf), cursor: next };
    });
  }

  counts(lane: string) {
    return this.#database.read((connection) => ({
      waiting: countOf(connection, lane, 'waiting'),
      running: countOf(connection, lane, 'running'),
    }));
  }

  recentRunsMs(lane: string) {
    return this.#database.read((connection) =>
      connection
        .all(
          'SELECT ran_ms FROM tasks WHERE lane = ? AND ended_at IS NOT NULL ORDER BY number DESC LIMIT ?',
          lane,
          RECENT_RUNS,
        )
        .map((row) => row['ran_ms'] as number),
    );
  }

  async next(lane: string, { waitMs, signal }: { readonly waitMs: number; readonly signal: AbortSignal }) {
    const endMs = performance.now() + waitMs;
    for (;;) {
      const { count } = this.#wake;
      const id = await this.#database.read((connection) => findDue(connection, lane, this.#clock.now()));
      const leftMs = endMs - performance.now();
      if (id !== undefined || leftMs <= 0) return id;
      this.#wake.watch(`${this.#database.path}-wal`);
      await this.#wake.wait(leftMs, { count, signal });
    }
  }

  async dismiss() {}

  running(lane: string) {
    return this.#database.read((connection) =>
      connection
        .all("SELECT record, beats FROM tasks WHERE lane = ? AND state = 'running'", lane)
        .map((row) => {
          const { id, token, claimant } = recordOf(row);
          return { id, token: token!, claimant: claimant!, beats: row['beats'] as number };
        }),
    );
  }

  beat(id: string, token: string) {
    return this.#database.write((connection) => {
      const changes = connection.run(
        "UPDATE tasks SET beats = beats + 1 WHERE id = ? AND token = ? AND state = 'running'",
        id,
        token,
      );
      if (changes === 0) return undefined;
      const row = connection.get('SELECT is_cancelling FROM tasks WHERE id = ?', id);
      return row!['is_cancelling'] === 1 ? 'cancel' : 'go on';
    });
  }

  async beatWorker(worker: WorkerIdentity, lanes: readonly string[]) {
    const now = this.#clock.now();
    await this.#database.write((connection) => {
      connection.run(
        'INSERT INTO workers (id, identity, lanes, seen_at) VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET lanes = excluded.lanes, seen_at = excluded.seen_at',
        worker.id,
        JSON.stringify(worker),
        JSON.stringify(lanes),
        now,
      );
      connection.run('DELETE FROM workers WHERE abs(seen_at - ?) > ?', now, WORKER_MEMORY_MS);
    });
  }

  async forgetWorker({ id }: WorkerIdentity) {
    await this.#database.write((connection) => connection.run('DELETE FROM workers WHERE id = ?', id));
  }

  /** By the time of day: after a jump of the clock, workers are missing until they beat again. */
  workers() {
    const now = this.#clock.now();
    return this.#database.read((connection) =>
      connection
        .all(
          'SELECT identity, lanes, seen_at FROM workers WHERE abs(seen_at - ?) <= ?',
          now,
          WORKER_MEMORY_MS,
        )
        .map((row) => {
          const identity = JSON.parse(row['identity'] as string) as WorkerIdentity;
          const lanes = JSON.parse(row['lanes'] as string) as string[];
          const silentMs = Math.max(0, now - (row['seen_at'] as number));
          return { id: identity.id, name: identity.name, lanes, silentMs, identity };
        }),
    );
  }

  async sweep() {
    const swept: string[] = [];
    for (;;) {
      const ids = await this.#database.write((connection) => {
        const rows = connection.all(
          'SELECT number, id FROM tasks WHERE ended_at <= ? LIMIT ?',
          this.#clock.now() - this.#limits.retentionMs,
          MOST_SWEPT,
        );
        for (const row of rows) {
          connection.run('DELETE FROM outputs WHERE number = ?', row['number']!);
          connection.run('DELETE FROM tasks WHERE number = ?', row['number']!);
        }
        return rows.map((row) => row['id'] as string);
      });
      swept.push(...ids);
      if (ids.length < MOST_SWEPT) return swept;
    }
  }

  restore(task: StoredTask, keepMs: number | undefined) {
    return this.#database.write((connection) => {
      if (findKnown(connection, task.record) !== undefined) return false;
      const endedAt =
        keepMs === undefined ? undefined : this.#clock.now() + keepMs - this.#limits.retentionMs;
      insertRow(connection, task, endedAt);
      return true;
    });
  }

  async isConnected() {
    try {
      await this.#database.read((connection) => connection.get('SELECT value FROM counter'));
      return true;
    } catch {
      return false;
    }
  }

  async close() {
    this.#wake.close();
    this.#database.close();
  }
}

function findKnown(connection: Connection, { id, lane, idempotency }: TaskRecord): Row | undefined {
  return (
    (idempotency &&
      connection.get(`SELECT ${ENTRY} FROM tasks WHERE lane = ? AND key = ?`, lane, idempotency.key)) ??
    connection.get(`SELECT ${ENTRY} FROM tasks WHERE id = ?`, id)
  );
}

/** `endedAt`: of the column, by which it is removed; undefined: as the record has it. */
function insertRow(
  connection: Connection,
  { record, input, output }: StoredTask,
  endedAt: number | undefined,
): void {
  const number = nextNumber(connection);
  const columns = { ...columnsOf(record), ...(endedAt === undefined ? {} : { ended_at: endedAt }) };
  const all = {
    number,
    id: record.id,
    lane: record.lane,
    rank: PRIORITIES.indexOf(record.priority),
    turn: number,
    key: record.idempotency?.key ?? null,
    beats: 0,
    input,
    ...columns,
  };
  const names = Object.keys(all);
  connection.run(
    `INSERT INTO tasks (${names.join(', ')}) VALUES (${names.map(() => '?').join(', ')})`,
    ...Object.values(all),
  );
  if (output !== undefined) writeOutput(connection, number, output);
}

function writeChange(connection: Connection, number: number, { record, output, followUps, afresh }: Change) {
  const columns = {
    ...columnsOf(record),
    ...(afresh === undefined ? {} : { turn: nextNumber(connection) }),
  };
  const assignments = Object.keys(columns).map((name) => `${name} = ?`);
  connection.run(
    `UPDATE tasks SET ${assignments.join(', ')} WHERE number = ?`,
    ...Object.values(columns),
    number,
  );
  if (output !== undefined) writeOutput(connection, number, output);
  for (const task of followUps ?? []) {
    if (findKnown(connection, task.record) === undefined) insertRow(connection, task, undefined);
  }
}

/** What changes with the record. */
function columnsOf(record: TaskRecord): Record<string, SqlValue> {
  return {
    state: record.state,
    due_at: dueAt(record),
    delay_ms: record.retryDelayMs,
    ended_at: record.endedAt === undefined ? null : Date.parse(record.endedAt),
    ran_ms: record.ranMs,
    token: record.token ?? null,
    is_cancelling: record.isCancelling ? 1 : 0,
    record: JSON.stringify(record),
  };
}

function nextNumber(connection: Connection): number {
  connection.run('UPDATE counter SET value = value + 1');
  return connection.get('SELECT value FROM counter')!['value'] as number;
}

function writeOutput(connection: Connection, number: number, output: string): void {
  connection.run(
    'INSERT INTO outputs (number, output) VALUES (?, ?) ON CONFLICT (number) DO UPDATE SET output = excluded.output',
    number,
    output,
  );
}

/** As `isDue` in `record.ts`. */
function findDue(connection: Connection, lane: string, now: number): string | undefined {
  const row = connection.get(
    "SELECT id FROM tasks WHERE lane = ? AND state = 'waiting' AND (due_at <= ? OR due_at > ? + delay_ms) ORDER BY rank, turn LIMIT 1",
    lane,
    now,
    now,
  );
  return row?.['id'] as string | undefined;
}

function isFull(connection: Connection, lane: string, maxWaiting: number | undefined): boolean {
  return maxWaiting !== undefined && countOf(connection, lane, 'waiting') >= maxWaiting;
}

function countOf(connection: Connection, lane: string, state: string): number {
  const row = connection.get('SELECT count(*) AS count FROM tasks WHERE lane = ? AND state = ?', lane, state);
  return row!['count'] as number;
}

function withOutput(connection: Connection, row: Row): StoredTask {
  const output = connection.get('SELECT output FROM outputs WHERE number = ?', row['number']!);
  return storedOf({ ...row, output: output?.['output'] ?? null });
}

function storedOf(row: Row): StoredTask {
  return { ...entryOf(row), output: (row['output'] as string | null) ?? undefined };
}

function entryOf(row: Row): Pick<StoredTask, 'record' | 'input'> {
  return { record: recordOf(row), input: row['input'] as string };
}

function recordOf(row: Row): TaskRecord {
  return JSON.parse(row['record'] as string) as TaskRecord;
}
