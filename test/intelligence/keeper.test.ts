import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readdir, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { silentLogger } from '../../src/base/logger.ts';
import { type Keeper, startKeeper } from '../../src/intelligence/keeper.ts';
import { openDirectoryRecordings } from '../../src/intelligence/recordings/directory-recordings.ts';
import type { Recordings } from '../../src/intelligence/recordings/recordings.ts';
import type { Queue } from '../../src/jobs/queue.ts';
import { openSqliteQueue } from '../../src/jobs/sqlite-queue.ts';
import type { NewTask } from '../../src/jobs/task.ts';
import { createWorkerIdentity } from '../../src/jobs/worker-identity.ts';
import { temporaryFolder } from '../support/temporary.ts';

const RETENTION_MS = 60_000;
const MINUTE_MS = 60_000;

interface UnderTest {
  readonly audio: string;
  readonly queue: Queue;
  readonly recordings: Recordings;
  /** Time, in milliseconds from now. */
  passed: number;
  /** A recording that was kept so long ago. */
  keep(task: NewTask, ageMs?: number): Promise<void>;
  round(): Promise<void>;
  kept(): Promise<string[]>;
}

async function start(context: TestContext): Promise<UnderTest> {
  const root = await temporaryFolder(context);
  const audio = join(root, 'audio');
  const recordings = openDirectoryRecordings(audio);
  const clock = { now: () => Date.now() + under.passed, elapsed: () => performance.now() + under.passed };
  const queue = openSqliteQueue({
    directory: root,
    limits: {
      maxWaiting: { recordings: 2 },
      maxOutputBytes: 1000,
      leaseMs: 30_000,
      retentionMs: RETENTION_MS,
    },
    clock: { ...(await import('../../src/jobs/clock.ts')).systemClock, ...clock },
  });
  let keeper: Keeper | undefined;
  context.after(async () => {
    await keeper?.stop();
    await queue.close();
  });
  const under: UnderTest = {
    audio,
    queue,
    recordings,
    passed: 0,
    async keep(task, ageMs = MINUTE_MS) {
      const path = join(await recordings.incoming(), `${task.id}.upload`);
      await writeFile(path, 'sound');
      await recordings.keep({ path, extension: '.wav', task });
      const at = new Date(Date.now() - ageMs);
      await utimes(join(audio, task.id, 'task.json'), at, at);
    },
    async round() {
      keeper ??= startKeeper({
        queue,
        recordings,
        retentionMs: RETENTION_MS,
        everyMs: 3_600_000,
        logger: silentLogger,
        now: () => new Date(clock.now()),
      });
      await keeper.round();
    },
    kept: async () => (await readdir(audio)).filter((name) => name !== '.incoming'),
  };
  return under;
}

test('a task that the queue has forgotten is submitted again, as it was', async (context) => {
  const under = await start(context);
  const task = newTask();
  await under.keep(task);
  await under.round();
  await under.round();
  const found = await under.queue.get(task.id);
  assert.deepEqual([found?.state, found?.input, found?.priority], ['waiting', task.input, 'high']);
  assert.equal((await under.queue.findByKey('recordings', 'k'))?.id, task.id);
  assert.deepEqual(
    found?.history.map(({ event }) => event),
    ['submitted'],
  );
});

test('a forgotten task is submitted again though its key is another task’s by now', async (context) => {
  const under = await start(context);
  const [same, other] = [newTask(), { ...newTask(), idempotency: { key: 'k', fingerprint: 'another' } }];
  await under.queue.submit(newTask());
  for (const forgotten of [same, other]) {
    await under.keep(forgotten);
    await under.round();
    assert.equal((await under.queue.get(forgotten.id))?.state, 'waiting');
    await under.queue.cancel(forgotten.id);
  }
  assert.notEqual((await under.queue.findByKey('recordings', 'k'))?.id, same.id);
});

test('a recording that its server may be about to submit is left alone', async (context) => {
  const under = await start(context);
  const task = newTask();
  await under.keep(task, 1000);
  await under.round();
  assert.equal(await under.queue.get(task.id), undefined);
  assert.deepEqual(await under.kept(), [task.id]);
});

test('where the queue is full a forgotten task waits for the next round', async (context) => {
  const under = await start(context);
  await under.queue.submit({ ...newTask(), idempotency: undefined });
  const second = { ...newTask(), idempotency: undefined };
  await under.queue.submit(second);
  const forgotten = newTask();
  await under.keep(forgotten);
  await under.round();
  assert.equal(await under.queue.get(forgotten.id), undefined);
  assert.deepEqual(await under.kept(), [forgotten.id]);
  await under.queue.cancel(second.id);
  await under.round();
  assert.equal((await under.queue.get(forgotten.id))?.state, 'waiting');
});

test('a recording goes with its task, when the retention after its end is over', async (context) => {
  const under = await start(context);
  const task = newTask();
  await under.keep(task);
  await under.queue.submit(task);
  await under.queue.cancel(task.id);
  await under.round();
  assert.deepEqual(await under.kept(), [task.id]);
  under.passed = RETENTION_MS + 1000;
  await under.round();
  assert.deepEqual(await under.kept(), []);
  assert.equal(await under.queue.get(task.id), undefined);
});

test('a recording whose ended task went by itself is removed after its retention, and not submitted again', async (context) => {
  const under = await start(context);
  const task = newTask();
  await under.keep(task);
  await under.recordings.markEnded(task.id);
  under.passed = RETENTION_MS + 1000;
  await under.round();
  assert.deepEqual(await under.kept(), []);
  assert.equal(await under.queue.get(task.id), undefined);
});

test('a task whose end the queue has forgotten within its retention is run again', async (context) => {
  const under = await start(context);
  const task = newTask();
  await under.keep(task);
  await under.recordings.markEnded(task.id);
  await under.round();
  assert.equal((await under.queue.get(task.id))?.state, 'waiting');
});

test('the note of an end is made where a killed worker did not, and taken back where the task waits again', async (context) => {
  const under = await start(context);
  const task = newTask();
  await under.keep(task);
  await under.queue.submit(task);
  await under.queue.cancel(task.id);
  await under.round();
  assert.ok((await readdir(join(under.audio, task.id))).includes('ended'));
  await under.queue.requeue(task.id);
  await under.round();
  assert.ok(!(await readdir(join(under.audio, task.id))).includes('ended'));
});

test('what killed attempts left is removed, but not from under a running one', async (context) => {
  const under = await start(context);
  const task = newTask();
  await under.keep(task);
  await under.queue.submit(task);
  const claim = await under.queue.claim('recordings', {
    worker: createWorkerIdentity(),
    waitMs: 1000,
    signal: new AbortController().signal,
  });
  const opened = await under.recordings.open(task.id, new AbortController().signal);
  const name = opened.workDirectory.slice(opened.workDirectory.lastIndexOf('/') + 1);
  await under.round();
  assert.ok((await readdir(join(under.audio, task.id))).includes(name));
  await claim!.release();
  await under.round();
  assert.ok(!(await readdir(join(under.audio, task.id))).includes(name));
});

test('a recording without a manifest that can be read is kept as long as any other', async (context) => {
  const under = await start(context);
  const task = newTask();
  await under.keep(task, 1000);
  await writeFile(join(under.audio, task.id, 'task.json'), '{');
  await under.round();
  assert.deepEqual(await under.kept(), [task.id]);
  under.passed = RETENTION_MS + 1000;
  await under.round();
  assert.deepEqual(await under.kept(), []);
});

function newTask(): NewTask {
  return {
    id: randomUUID(),
    lane: 'recordings',
    priority: 'high',
    input: { features: ['summary'] },
    idempotency: { key: 'k', fingerprint: 'f' },
  };
}
