/** The tables of tasks.db. Each text brings the file from one version to the next; what was released is never changed. */
export const MIGRATIONS: readonly string[] = [
  `
  -- The last number given to a task, or to its place among those that wait.
  CREATE TABLE counter (value INTEGER NOT NULL);
  INSERT INTO counter VALUES (0);

  -- record: src/jobs/record.ts, as JSON; the other columns repeat what is asked for, and are written with it.
  CREATE TABLE tasks (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    lane TEXT NOT NULL,
    state TEXT NOT NULL,
    rank INTEGER NOT NULL,
    turn INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    delay_ms INTEGER NOT NULL,
    ended_at INTEGER,
    ran_ms INTEGER NOT NULL,
    key TEXT,
    token TEXT,
    is_cancelling INTEGER NOT NULL,
    beats INTEGER NOT NULL,
    record TEXT NOT NULL,
    input TEXT NOT NULL
  );
  CREATE UNIQUE INDEX tasks_by_key ON tasks (lane, key) WHERE key IS NOT NULL;
  CREATE INDEX tasks_by_turn ON tasks (lane, state, rank, turn);
  CREATE INDEX tasks_by_number ON tasks (lane, number);
  CREATE INDEX tasks_by_end ON tasks (ended_at) WHERE ended_at IS NOT NULL;

  -- Apart, because a change of a row writes all of it.
  CREATE TABLE outputs (number INTEGER PRIMARY KEY, output TEXT NOT NULL);

  CREATE TABLE workers (id TEXT PRIMARY KEY, identity TEXT NOT NULL, lanes TEXT NOT NULL, seen_at INTEGER NOT NULL);
  `,
];
