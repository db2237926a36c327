/**
 * What the queue costs: from the submission of a task to its end with work that does nothing, one after the other, the worker in this process or in
 * another; and how many a second are submitted by 200 at once.
 *
 *     node dist/bench/queue.js [--tasks 200] [--directory FOLDER] [--redis redis://127.0.0.1:6379/0]
 *
 * SQLite in a folder of its own in FOLDER (default: that of temporary files; name one on the disk that the data directory is on), and Redis only
 * where it is named: its two databases from that number on are written to, and not emptied.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { silentLogger } from '../src/base/logger.ts';
import type { Queue, QueueLimits } from '../src/jobs/queue.ts';
import { openRedisQueue } from '../src/jobs/redis-queue.ts';
import { openSqliteQueue } from '../src/jobs/sqlite-queue.ts';
import type { NewTask } from '../src/jobs/task.ts';
import { startWorker } from '../src/jobs/worker.ts';

const LANE = `bench-${process.argv[2] === 'worker' ? process.argv[4] : randomUUID()}`;
const LIMITS: QueueLimits = { maxWaiting: {}, maxOutputBytes: 1e6, leaseMs: 30_000, retentionMs: 60_000 };
const AT_ONCE = 200;

type Place =
  | { readonly name: string; readonly directory: string }
  | { readonly name: string; readonly redis: string };

if (process.argv[2] === 'worker') workForParent(openPlace(JSON.parse(process.argv[3]!) as Place));
else await main();

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      tasks: { type: 'string', default: '200' },
      directory: { type: 'string', default: tmpdir() },
      redis: { type: 'string' },
    },
  });
  const folder = await mkdtemp(join(values.directory, 'percept-bench-'));
  const places: Place[] = [{ name: 'SQLite', directory: folder }];
  if (values.redis !== undefined) places.push({ name: 'Redis', redis: values.redis });
  console.log(`\n**The queue**; ${values.tasks} tasks, ${cpus().length} cores of ${cpus()[0]!.model}\n`);
  console.log('| | p50, ms | p99, ms | submitted a second, 200 at once |');
  console.log('|---|---|---|---|');
  try {
    for (const place of places) {
      const throughput = await submitTogether(place);
      await measure(place, Number(values.tasks), { isApart: false, throughput });
      await measure(place, Number(values.tasks), { isApart: true, throughput });
    }
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function measure(
  place: Place,
  tasks: number,
  { isApart, throughput }: { readonly isApart: boolean; readonly throughput: number },
): Promise<void> {
  const queue = openPlace(place);
  /** Resolves the end of the task that was submitted last. */
  let onEnd: () => void = () => {};
  const stop = isApart ? await startApart(place, () => onEnd()) : startHere(queue, () => onEnd());
  const times: number[] = [];
  for (let count = -10; count < tasks; count += 1) {
    const ended = new Promise<void>((resolve) => {
      onEnd = resolve;
    });
    const begunMs = performance.now();
    await queue.submit(newTask());
    await ended;
    if (count >= 0) times.push(performance.now() - begunMs);
  }
  await stop();
  await queue.close();
  times.sort((a, b) => a - b);
  const at = (share: number) =>
    times[Math.min(times.length - 1, Math.floor(share * times.length))]!.toFixed(2);
  const cells = [
    `${place.name}, ${isApart ? 'worker in another process' : 'one process'}`,
    at(0.5),
    at(0.99),
    throughput.toFixed(0),
  ];
  console.log(`| ${cells.join(' | ')} |`);
}

async function submitTogether(place: Place): Promise<number> {
  const queue = openPlace(place);
  await queue.submit({ ...newTask(), lane: `${LANE}-full` });
  const begunMs = performance.now();
  for (let round = 0; round < 5; round += 1) {
    const tasks = Array.from({ length: AT_ONCE }, () => ({ ...newTask(), lane: `${LANE}-full` }));
    await Promise.all(tasks.map((task) => queue.submit(task)));
  }
  const seconds = (performance.now() - begunMs) / 1000;
  await queue.close();
  return (5 * AT_ONCE) / seconds;
}

function startHere(queue: Queue, onEnd: () => void): () => Promise<void> {
  return startIdleWorker(queue, onEnd).stop;
}

async function startApart(place: Place, onEnd: () => void): Promise<() => Promise<void>> {
  const child: ChildProcess = fork(fileURLToPath(import.meta.url), [
    'worker',
    JSON.stringify(place),
    LANE.slice('bench-'.length),
  ]);
  await new Promise((resolve) => child.once('message', resolve));
  child.on('message', onEnd);
  return async () => {
    const exited = new Promise((resolve) => child.once('exit', resolve));
    child.disconnect();
    await exited;
  };
}

function workForParent(queue: Queue): void {
  const worker = startIdleWorker(queue, () => process.send!('ended'));
  process.send!('ready');
  process.once('disconnect', async () => {
    await worker.stop();
    await queue.close();
  });
}

/** Tells of each task once its end is written. */
function startIdleWorker(queue: Queue, onEnd: () => void) {
  const telling = new Proxy(queue, {
    get(target, name) {
      if (name !== 'claim') return (target[name as keyof Queue] as () => unknown).bind(target);
      return async (...options: Parameters<Queue['claim']>) => {
        const claim = await target.claim(...options);
        if (claim === undefined) return undefined;
        const complete: typeof claim.complete = async (...end) => {
          await claim.complete(...end);
          onEnd();
        };
        return { ...claim, complete };
      };
    },
  });
  return startWorker({
    queue: telling,
    logger: silentLogger,
    lanes: [
      {
        name: LANE,
        concurrency: 1,
        run: async () => null,
        limits: { heartbeatMs: 2000, leaseMs: 30_000, retries: 2, retryDelayMs: 1000, timeoutMs: 60_000 },
        isTransient: () => false,
      },
    ],
  });
}

function newTask(): NewTask {
  return { id: randomUUID(), lane: LANE, priority: 'normal', input: { file: 'recording.wav' } };
}

function openPlace(place: Place): Queue {
  if ('directory' in place) return openSqliteQueue({ directory: place.directory, limits: LIMITS });
  return openRedisQueue({ url: place.redis, resultsDatabase: 1, limits: LIMITS, logger: silentLogger });
}
