/** Workers in processes of their own, which share tasks, and die. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Queue } from '../../src/jobs/queue.ts';
import type { NewTask } from '../../src/jobs/task.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { LANE, newTask } from './queue-under-test.ts';
import { NO_REDIS, type RedisServer, startRedis } from './redis-server.ts';
import { openPlace, type Place, type WorkerStart } from './worker-process.ts';

const WORKER = fileURLToPath(new URL('./worker-process.js', import.meta.url));

describe('processes on one file of SQLite', () => {
  const place = async (t: TestContext): Promise<Place> => ({
    kind: 'sqlite',
    directory: await temporaryFolder(t),
  });
  test('share tasks, each done once', async (t) => sharesTasks(t, await place(t)));
  test('lose no task when they are killed', async (t) => survivesKilling(t, await place(t)));
});

describe('processes on one Redis', { skip: NO_REDIS }, () => {
  let redis: RedisServer;
  before(async () => {
    redis = await startRedis();
  });
  after(() => redis.remove());
  const place = async (): Promise<Place> => ({ kind: 'redis', url: redis.url() });

  test('share tasks, each done once', async (t) => sharesTasks(t, await place()));
  test('lose no task when they are killed', async (t) => survivesKilling(t, await place()));

  test('end every task though Redis is killed, if what it forgot is submitted again', async (t) => {
    const group = await startGroup(t, { place: await place(), workMs: 80 });
    const tasks = Array.from({ length: 60 }, () => newTask());
    const submitting = submitAll(group.queue, tasks);
    for (let kills = 0; kills < 2; kills += 1) {
      await sleep(300);
      await redis.kill();
      await sleep(300);
      await redis.start();
    }
    await submitting;
    // As the caller does at its own start: what is not known any more is submitted by its old name.
    await submitAll(group.queue, tasks);
    await group.allComplete(tasks);
  });
});

async function sharesTasks(t: TestContext, place: Place): Promise<void> {
  const group = await startGroup(t, { place, workMs: 2 });
  const tasks = Array.from({ length: 100 }, () => newTask());
  await submitAll(group.queue, tasks);
  await group.allComplete(tasks);
  const lines = await group.lines();
  assert.equal(lines.length, 200);
  assert.equal(new Set(lines.map(([what, id]) => `${what} ${id}`)).size, 200);
  assert.equal(new Set(lines.map(([, , pid]) => pid)).size, 2, 'both had a share');
}

async function survivesKilling(t: TestContext, place: Place): Promise<void> {
  const group = await startGroup(t, { place, workMs: 20 });
  const tasks = Array.from({ length: 60 }, () => newTask());
  await submitAll(group.queue, tasks);
  for (let kills = 0; kills < 6; kills += 1) {
    await sleep(80 + Math.random() * 250);
    await group.killOne(kills % 2);
  }
  await group.allComplete(tasks);
  const lines = await group.lines();
  for (const { id } of tasks) {
    const task = (await group.queue.get(id))!;
    const done = lines.filter(([what, of]) => what === 'done' && of === id);
    assert.ok(done.length >= 1);
    // Whose result is kept is who had the task last.
    const [, , pid, attempt] = done.at(-1)!;
    assert.equal(task.output, Number(pid));
    assert.equal(task.attempt, Number(attempt));
    assert.equal(task.lost, task.attempt - 1);
  }
}

async function startGroup(t: TestContext, { place, workMs }: Omit<WorkerStart, 'log'>) {
  const folder = await temporaryFolder(t);
  const log = join(folder, 'log');
  await writeFile(log, '');
  const queue = openPlace(place);
  const start = () => {
    const options: WorkerStart = { place, log, workMs };
    return spawn(process.execPath, [WORKER, JSON.stringify(options)], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  };
  const workers = [start(), start()];
  t.after(async () => {
    await Promise.all(workers.map((worker) => end(worker, 'SIGTERM')));
    await queue.close();
  });
  await until(async () => (await queue.workers()).length === 2, 'both workers are there');
  return {
    queue,
    async killOne(index: number) {
      await end(workers[index]!, 'SIGKILL');
      workers[index] = start();
    },
    async lines() {
      const text = await readFile(log, 'utf8');
      return text
        .trim()
        .split('\n')
        .map((line) => line.split(' '));
    },
    async allComplete(tasks: readonly NewTask[]) {
      await until(async () => {
        const { waiting, running } = await queue.depth(LANE);
        return waiting === 0 && running === 0;
      }, 'nothing waits or runs');
      for (const { id } of tasks) {
        const task = await queue.get(id);
        assert.equal(task?.state, 'complete', id);
        assert.equal(task.history.filter(({ event }) => event === 'complete').length, 1);
      }
    },
  };
}

async function submitAll(queue: Queue, tasks: readonly NewTask[]): Promise<void> {
  for (const task of tasks)
    await until(
      () =>
        queue.submit(task).then(
          () => true,
          () => false,
        ),
      'the task is submitted',
    );
}

async function until(condition: () => Promise<boolean>, what: string): Promise<void> {
  for (const begun = Date.now(); Date.now() - begun < 30_000; await sleep(20)) {
    if (await condition().catch(() => false)) return;
  }
  throw new Error(`still not so after 30 s: ${what}`);
}

async function end(worker: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (worker.exitCode !== null || worker.signalCode !== null) return;
  const exited = new Promise((resolve) => worker.once('exit', resolve));
  worker.kill(signal);
  await exited;
}
