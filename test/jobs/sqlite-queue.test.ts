import assert from 'node:assert/strict';
import { chmod, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { openSqliteQueue } from '../../src/jobs/sqlite-queue.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { describeQueue } from './queue-suite.ts';
import { claimNow, LANE, LIMITS, newTask, type QueueUnderTest, turnedClock } from './queue-under-test.ts';

describeQueue('a queue in SQLite', sqliteTasks);

test('a file that is no database is refused with what to do, and left alone', async (t) => {
  const folder = await temporaryFolder(t);
  const path = join(folder, 'tasks.db');
  await writeFile(path, 'Not a database, but something that somebody needs.\n'.repeat(100));
  const queue = openSqliteQueue({ directory: folder, limits: LIMITS });
  await assert.rejects(queue.submit(newTask()), { code: 'queue_unavailable', message: /move it away/ });
  assert.equal(await queue.isConnected(), false);
  await queue.close();
});

test('a queue whose file could not be opened works as soon as it can', async (t) => {
  const folder = await temporaryFolder(t);
  const blocked = join(folder, 'home');
  await writeFile(blocked, '');
  const queue = openSqliteQueue({ directory: join(blocked, 'inner'), limits: LIMITS });
  await assert.rejects(queue.submit(newTask()), { code: 'queue_unavailable' });
  await rm(blocked);
  assert.equal((await queue.submit(newTask())).isNew, true);
  await queue.close();
});

test('the tables of a newer version are refused with what to do', async (t) => {
  const folder = await temporaryFolder(t);
  const { default: Database } = await import('libsql');
  const db = new Database(join(folder, 'tasks.db'));
  db.exec('PRAGMA user_version = 99');
  db.close();
  const queue = openSqliteQueue({ directory: folder, limits: LIMITS });
  await assert.rejects(queue.get('x'), { code: 'queue_unavailable', message: /newer Percept/ });
  await queue.close();
});

test('another process that holds the file is waited for', async (t) => {
  const tasks = await sqliteTasks(t);
  const queue = tasks.open();
  await queue.submit(newTask());
  const { default: Database } = await import('libsql');
  const other = new Database(join(tasks.folder, 'tasks.db'));
  other.exec('BEGIN IMMEDIATE');
  const submitted = queue.submit(newTask());
  await new Promise((resolve) => setTimeout(resolve, 100));
  other.exec('COMMIT');
  other.close();
  assert.equal((await submitted).isNew, true);
});

test('tasks are for the eyes of their user alone', { skip: process.platform === 'win32' }, async (t) => {
  const tasks = await sqliteTasks(t);
  await tasks.open().submit(newTask());
  for (const name of ['tasks.db', 'tasks.db-wal'])
    assert.equal((await stat(join(tasks.folder, name))).mode & 0o077, 0, name);
});

test('a clock that jumps ahead ages ended tasks by the jump, and waiting ones not at all', async (t) => {
  const tasks = await sqliteTasks(t);
  const clock = turnedClock();
  const queue = tasks.open({ clock });
  const { task: ended } = await queue.submit(newTask());
  await queue.cancel(ended.id);
  const { task: waiting } = await queue.submit(newTask());
  clock.jump(LIMITS.retentionMs - 1);
  assert.deepEqual(await queue.sweep(), []);
  clock.jump(1);
  assert.deepEqual(await queue.sweep(), [ended.id]);
  assert.equal((await claimNow(queue, { lane: LANE }))?.task.id, waiting.id);
});

test('a file that cannot be written is said to be so, and what is in it can be read', {
  skip: process.getuid?.() === 0 && 'root may write everything',
}, async (t) => {
  const tasks = await sqliteTasks(t);
  const first = tasks.open();
  await first.submit(newTask());
  await first.close();
  await chmod(join(tasks.folder, 'tasks.db'), 0o400);
  await assert.rejects(tasks.open().submit(newTask()), { code: 'queue_unavailable' });
});

async function sqliteTasks(context: TestContext): Promise<QueueUnderTest & { readonly folder: string }> {
  const folder = await temporaryFolder(context);
  return {
    folder,
    open({ clock, limits } = {}) {
      const queue = openSqliteQueue({
        directory: folder,
        limits: { ...LIMITS, ...limits },
        ...(clock === undefined ? {} : { clock }),
      });
      context.after(() => queue.close());
      return queue;
    },
  };
}
