/** The file of tasks: opened when it is first needed and again after it failed, shared with the other processes of this machine. */
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import type Libsql from 'libsql';
import { sleep } from '../base/abort.ts';
import { AppError } from '../base/errors.ts';
import { MIGRATIONS } from './sqlite-schema.ts';

export type SqlValue = string | number | null;
export type Row = Readonly<Record<string, SqlValue>>;

/** Inside of one piece of work; nothing waits there. */
export interface Connection {
  all(sql: string, ...values: SqlValue[]): readonly Row[];
  get(sql: string, ...values: SqlValue[]): Row | undefined;
  /** How many rows it changed. */
  run(sql: string, ...values: SqlValue[]): number;
}

/**
 * SQLite sleeps inside of the process while another writes, and the whole process with it: only for so long at a time. The rest of the wait is
 * ours, between attempts.
 */
const BUSY_MS = 20;
/** Writes take milliseconds; whoever holds the file for longer has been stopped in the middle of one. */
const MAX_BUSY_MS = 10_000;

export class SqliteDatabase {
  readonly path: string;
  /** Undefined before the first work and after a failure of the file. */
  #open: { readonly db: Libsql.Database; readonly statements: Map<string, Libsql.Statement> } | undefined;
  #isClosed = false;

  constructor(path: string) {
    this.path = path;
  }

  /** What it reads is of one moment only within one statement. */
  read<T>(work: (connection: Connection) => T): Promise<T> {
    return this.#attempt((connection) => work(connection));
  }

  /** All of it or nothing, and on the disk when this returns. */
  write<T>(work: (connection: Connection) => T): Promise<T> {
    return this.#attempt((connection, db) => {
      db.exec('BEGIN IMMEDIATE');
      try {
        const result = work(connection);
        db.exec('COMMIT');
        return result;
      } catch (thrown) {
        if (db.inTransaction) db.exec('ROLLBACK');
        throw thrown;
      }
    });
  }

  close(): void {
    this.#isClosed = true;
    this.#drop();
  }

  async #attempt<T>(work: (connection: Connection, db: Libsql.Database) => T): Promise<T> {
    const begunMs = performance.now();
    for (;;) {
      try {
        const { db, statements } = await this.#connect();
        return work(connectionOf(db, statements), db);
      } catch (thrown) {
        if (thrown instanceof AppError) throw thrown;
        const code = sqliteCode(thrown);
        if (code === undefined) throw thrown;
        if (!isBusy(code) || performance.now() - begunMs > MAX_BUSY_MS) {
          this.#drop();
          throw this.#failure(code, thrown);
        }
        await sleep(5 + Math.random() * 20);
      }
    }
  }

  async #connect() {
    if (this.#isClosed) throw new AppError('queue_unavailable', 'The queue was closed.');
    if (this.#open !== undefined) return this.#open;
    const { default: Database } = await import('libsql');
    if (this.#open !== undefined) return this.#open;
    this.#prepareFile();
    const db = openFile(Database, this.path);
    try {
      db.exec(`PRAGMA busy_timeout = ${BUSY_MS}`);
      db.pragma('journal_mode = WAL');
      // FULL: what was accepted survives the loss of power, too.
      db.exec('PRAGMA synchronous = FULL');
      db.exec('PRAGMA journal_size_limit = 67108864');
      this.#migrate(db);
    } catch (thrown) {
      db.close();
      throw thrown;
    }
    this.#open = { db, statements: new Map() };
    return this.#open;
  }

  /** What is in it belongs to this user alone, as do the recordings. */
  #prepareFile(): void {
    try {
      mkdirSync(dirname(this.path), { recursive: true });
      closeSync(openSync(this.path, 'a', 0o600));
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException;
      if (code === 'ENOSPC' || code === 'EDQUOT') throw this.#failure('SQLITE_FULL', cause);
      throw this.#failure('SQLITE_CANTOPEN', cause);
    }
  }

  #migrate(db: Libsql.Database): void {
    if (versionOf(db) === MIGRATIONS.length) return;
    db.exec('BEGIN IMMEDIATE');
    try {
      const version = versionOf(db);
      if (version > MIGRATIONS.length) {
        throw new AppError(
          'queue_unavailable',
          `${this.path} was written by a newer Percept (version ${version} of its tables; this one knows ${MIGRATIONS.length}). Update Percept, or set PERCEPT_HOME to another directory.`,
        );
      }
      for (const migration of MIGRATIONS.slice(version)) db.exec(migration);
      db.exec(`PRAGMA user_version = ${MIGRATIONS.length}`);
      db.exec('COMMIT');
    } catch (thrown) {
      if (db.inTransaction) db.exec('ROLLBACK');
      throw thrown;
    }
  }

  #drop(): void {
    const open = this.#open;
    this.#open = undefined;
    try {
      open?.db.close();
    } catch {
      // What cannot be closed any more is left to the system; the failure that led here is the one to tell of.
    }
  }

  #failure(code: string, cause: unknown): AppError {
    if (code.startsWith('SQLITE_FULL')) {
      return new AppError('disk_full', `The disk of ${this.path} is full: free some space on it.`, { cause });
    }
    return new AppError('queue_unavailable', `${this.path} ${remedy(code)} (${code}).`, { cause });
  }
}

function remedy(code: string): string {
  if (/^SQLITE_(NOTADB|CORRUPT)/.test(code))
    return 'is damaged or no database: stop Percept, move it away or put a backup in its place, and start again';
  if (isBusy(code)) return 'is held by another process that does not let go: end what else uses it';
  if (/^SQLITE_(READONLY|CANTOPEN|PERM|AUTH)/.test(code))
    return 'cannot be opened or written: give this user the file and its folder, or set PERCEPT_HOME to another';
  return 'cannot be read or written: see whether its disk is sound';
}

function openFile(Database: typeof Libsql, path: string): Libsql.Database {
  try {
    return new Database(path);
  } catch (cause) {
    // The library gives no code where it cannot even open the file.
    throw Object.assign(new Error('cannot open', { cause }), { code: 'SQLITE_CANTOPEN' });
  }
}

function versionOf(db: Libsql.Database): number {
  const [row] = db.pragma('user_version') as { user_version: number }[];
  return row!.user_version;
}

function connectionOf(db: Libsql.Database, statements: Map<string, Libsql.Statement>): Connection {
  const prepare = (sql: string) => {
    const known = statements.get(sql);
    if (known !== undefined) return known;
    const statement = db.prepare(sql);
    statements.set(sql, statement);
    return statement;
  };
  return {
    all: (sql, ...values) => prepare(sql).all(values) as Row[],
    get: (sql, ...values) => prepare(sql).all(values)[0] as Row | undefined,
    run: (sql, ...values) => prepare(sql).run(values).changes,
  };
}

function sqliteCode(thrown: unknown): string | undefined {
  const code = (thrown as { code?: unknown } | undefined)?.code;
  return typeof code === 'string' && code.startsWith('SQLITE_') ? code : undefined;
}

function isBusy(code: string): boolean {
  return /^SQLITE_(BUSY|LOCKED)/.test(code);
}
