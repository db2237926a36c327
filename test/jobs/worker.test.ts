import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { AppError } from '../../src/base/errors.ts';
import { silentLogger } from '../../src/base/logger.ts';
import type { Work, WorkerLimits } from '../../src/jobs/attempt.ts';
import type { Claim, Queue, QueueLimits, WorkerIdentity } from '../../src/jobs/queue.ts';
import { openSqliteQueue } from '../../src/jobs/sqlite-queue.ts';
import { hasEnded, type Task } from '../../src/jobs/task.ts';
import { startWorker, type Worker } from '../../src/jobs/worker.ts';
import { eventually } from '../support/processes.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { deadWorker, LANE, LIMITS, mustClaim, newTask, turnedClock } from './queue-under-test.ts';

const WORKER_LIMITS: WorkerLimits = {
  heartbeatMs: 20,
  leaseMs: 3000,
  retries: 2,
  retryDelayMs: 10,
  timeoutMs: 10_000,
};

test('a task is done and what follows from it is submitted', async (t) => {
  const { queue, start } = await openQueue(t);
  start(async ({ input }) => ({ heard: input }), {
    followUps: ({ id, state }) => [newTask({ lane: 'webhooks', input: { id, state } })],
  });
  const { task } = await queue.submit(newTask());
  const ended = await endOf(queue, task.id);
  assert.equal(ended.state, 'complete');
  assert.equal(ended.progress, 1);
  assert.deepEqual(ended.output, { heard: task.input });
  const [webhook] = (await queue.list({ lane: 'webhooks', limit: 2 })).tasks;
  assert.deepEqual(webhook?.input, { id: task.id, state: 'complete' });
  assert.equal((await queue.workers()).length, 1);
});

test('whoever asked hears that a task was left, when its end is written, however it ended', async (t) => {
  const { queue, start } = await openQueue(t);
  const heard: string[] = [];
  start(
    async ({ priority }) => {
      if (priority === 'high') throw new AppError('unsupported_audio', 'It is none.');
      return null;
    },
    {
      left: async (id) => {
        heard.push((await queue.get(id))!.state);
        throw new Error('The worker goes on all the same.');
      },
    },
  );
  await queue.submit(newTask({ priority: 'high' }));
  await queue.submit(newTask());
  await eventually(() => heard.length === 2, 'both were told');
  assert.deepEqual(heard.sort(), ['complete', 'failed']);
});

test('no more tasks run at once than the lane allows, and a freed place is filled', async (t) => {
  const { queue, start } = await openQueue(t);
  let running = 0;
  let most = 0;
  start(
    async () => {
      running += 1;
      most = Math.max(most, running);
      await sleep(15);
      running -= 1;
      return null;
    },
    { concurrency: 3 },
  );
  const tasks = await Promise.all(Array.from({ length: 10 }, () => queue.submit(newTask())));
  for (const { task } of tasks) await endOf(queue, task.id);
  assert.equal(most, 3);
});

test('a failure that may pass is tried again, later each time, as often as allowed', async (t) => {
  const { queue, start } = await openQueue(t);
  start(
    async () => {
      throw new AppError('model_crashed', 'It crashed.');
    },
    { isTransient: ({ code }) => code === 'model_crashed' },
  );
  const { task } = await queue.submit(newTask());
  const ended = await endOf(queue, task.id);
  assert.equal(ended.state, 'failed');
  assert.equal(ended.error?.code, 'model_crashed');
  assert.equal(ended.attempt, 3);
  assert.equal(ended.history.filter(({ event }) => event === 'retrying').length, 2);
});

test('any other failure fails the task at once, and keeps what it gave', async (t) => {
  const { queue, start } = await openQueue(t);
  start(async (_task, { update }) => {
    await update({ stage: 'asr', output: 'partial' });
    throw new Error('a bug');
  });
  const { task } = await queue.submit(newTask());
  const ended = await endOf(queue, task.id);
  assert.equal(ended.error?.code, 'internal');
  assert.equal(ended.attempt, 1);
  assert.equal(ended.output, 'partial');
});

test('work that takes too long is stopped and not tried again', async (t) => {
  const { queue, start } = await openQueue(t);
  start(untilStopped, { limits: { timeoutMs: 50 }, isTransient: () => true });
  const { task } = await queue.submit(newTask());
  const ended = await endOf(queue, task.id);
  assert.equal(ended.state, 'failed');
  assert.equal(ended.error?.code, 'timeout');
  assert.equal(ended.attempt, 1);
});

test('a cancelled task is stopped', async (t) => {
  const { queue, start } = await openQueue(t);
  const begun = withResolvers<void>();
  start((task, context) => {
    begun.resolve();
    return untilStopped(task, context);
  });
  const { task } = await queue.submit(newTask());
  await begun.promise;
  await queue.cancel(task.id);
  assert.equal((await endOf(queue, task.id)).state, 'cancelled');
});

test('a worker that is stopped gives its tasks back, and takes no more', async (t) => {
  const { queue, start } = await openQueue(t);
  const begun = withResolvers<void>();
  const worker = start((task, context) => {
    begun.resolve();
    return untilStopped(task, context);
  });
  const { task } = await queue.submit(newTask());
  await begun.promise;
  await worker.stop();
  const waiting = await queue.get(task.id);
  assert.equal(waiting?.state, 'waiting');
  assert.equal(waiting?.attempt, 0);
  assert.deepEqual(await queue.workers(), []);
  start(async () => 'done');
  const ended = await endOf(queue, task.id);
  assert.equal(ended.attempt, 1);
});

test('a task that was cancelled while its worker was being stopped is cancelled', async (t) => {
  const { queue, start } = await openQueue(t);
  const begun = withResolvers<void>();
  const worker = start(
    (task, context) => {
      begun.resolve();
      return untilStopped(task, context);
    },
    { limits: { heartbeatMs: 60_000 } },
  );
  const { task } = await queue.submit(newTask());
  await begun.promise;
  await queue.cancel(task.id);
  await worker.stop();
  assert.equal((await queue.get(task.id))?.state, 'cancelled');
});

test('work whose task was given to another is stopped, and its result dropped', async (t) => {
  const { queue, start } = await openQueue(t);
  const begun = withResolvers<void>();
  const stopped = withResolvers<unknown>();
  start(
    async (_task, { signal }) => {
      begun.resolve();
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      stopped.resolve(signal.reason);
      return 'mine';
    },
    { identity: deadWorker(), limits: { heartbeatMs: 50 } },
  );
  const { task } = await queue.submit(newTask());
  await begun.promise;
  const claim = await mustClaim(queue);
  assert.equal(((await stopped.promise) as AppError).code, 'claim_lost');
  await claim.complete('theirs');
  assert.equal((await queue.get(task.id))?.output, 'theirs');
});

test('a worker that cannot reach the queue stops its work before another may have it', async (t) => {
  const { queue, start } = await openQueue(t);
  const clock = turnedClock();
  const stopped = withResolvers<unknown>();
  const unreachable = withClaims(queue, () => ({
    beat: () => Promise.reject(new AppError('queue_unavailable', 'It does not answer.')),
  }));
  start(
    async (_task, { signal }) => {
      clock.pass(WORKER_LIMITS.leaseMs * 0.67);
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      stopped.resolve(signal.reason);
      throw signal.reason;
    },
    { clock, queue: unreachable },
  );
  await queue.submit(newTask());
  assert.equal(((await stopped.promise) as AppError).code, 'claim_lost');
});

test('a task that loses one worker after the other fails in the end', async (t) => {
  const { queue, start } = await openQueue(t);
  const { task } = await queue.submit(newTask());
  for (let count = 0; count < 3; count += 1) await mustClaim(queue, { worker: deadWorker() });
  let runs = 0;
  start(async () => {
    runs += 1;
    return null;
  });
  const ended = await endOf(queue, task.id);
  assert.equal(ended.state, 'failed');
  assert.equal(ended.error?.code, 'claim_lost');
  assert.equal(runs, 0);
});

test('a task that was to be cancelled when its worker went is cancelled, not done', async (t) => {
  const { queue, start } = await openQueue(t);
  const { task } = await queue.submit(newTask());
  await mustClaim(queue, { worker: deadWorker() });
  await queue.cancel(task.id);
  let runs = 0;
  start(async () => {
    runs += 1;
    return null;
  });
  assert.equal((await endOf(queue, task.id)).state, 'cancelled');
  assert.equal(runs, 0);
});

test('a result that is too large fails its task', async (t) => {
  const { queue, start } = await openQueue(t);
  start(async () => 'x'.repeat(LIMITS.maxOutputBytes));
  const { task } = await queue.submit(newTask());
  const ended = await endOf(queue, task.id);
  assert.equal(ended.state, 'failed');
  assert.equal(ended.error?.code, 'result_too_large');
});

test('the end of a task is written as soon as the queue answers again', async (t) => {
  const { queue, start } = await openQueue(t);
  let failures = 2;
  const flaky = withClaims(queue, (claim) => ({
    complete: async (...end) => {
      failures -= 1;
      if (failures >= 0) throw new AppError('queue_unavailable', 'It does not answer.');
      await claim.complete(...end);
    },
  }));
  start(async () => 'done', { queue: flaky });
  const { task } = await queue.submit(newTask());
  assert.equal((await endOf(queue, task.id)).output, 'done');
});

test('progress is written now and then, stages and outputs at once', async (t) => {
  const { queue, start } = await openQueue(t);
  let writes = 0;
  const counting = withClaims(queue, (claim) => ({
    update: (change) => {
      writes += 1;
      return claim.update(change);
    },
  }));
  start(
    async (task, { update }) => {
      await update({ stage: 'asr' });
      for (let step = 1; step <= 100; step += 1) await update({ progress: step / 100 });
      await update({ output: 'transcript' });
      const shown = await queue.get(task.id);
      assert.equal(shown?.stage, 'asr');
      assert.equal(shown?.progress, 1);
      assert.equal(shown?.output, 'transcript');
      return 'all';
    },
    { queue: counting },
  );
  const { task } = await queue.submit(newTask());
  assert.equal((await endOf(queue, task.id)).output, 'all');
  assert.equal(writes, 2);
});

const untilStopped: Work = (_task, { signal }) =>
  new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));

interface StartOptions {
  readonly queue?: Queue;
  readonly limits?: Partial<WorkerLimits>;
  readonly concurrency?: number;
  readonly identity?: WorkerIdentity;
  readonly clock?: ReturnType<typeof turnedClock>;
  readonly isTransient?: (error: AppError) => boolean;
  readonly followUps?: (ended: Omit<Task, 'output'>) => ReturnType<typeof newTask>[];
  readonly left?: (id: string) => Promise<void>;
}

async function openQueue(context: TestContext, limits: Partial<QueueLimits> = {}) {
  const directory = await temporaryFolder(context);
  const queue = openSqliteQueue({ directory, limits: { ...LIMITS, ...limits } });
  const workers: Worker[] = [];
  context.after(async () => {
    await Promise.all(workers.map((worker) => worker.stop()));
    await queue.close();
  });
  const start = (run: Work, options: StartOptions = {}) => {
    const { concurrency = 1, isTransient = () => false, followUps, left, identity, clock } = options;
    const worker = startWorker({
      queue: options.queue ?? queue,
      lanes: [
        {
          name: LANE,
          concurrency,
          run,
          limits: { ...WORKER_LIMITS, ...options.limits },
          isTransient,
          ...(followUps === undefined ? {} : { followUps }),
          ...(left === undefined ? {} : { left }),
        },
      ],
      logger: silentLogger,
      ...(identity === undefined ? {} : { identity }),
      ...(clock === undefined ? {} : { clock }),
    });
    workers.push(worker);
    return worker;
  };
  return { queue, start };
}

async function endOf(queue: Queue, id: string): Promise<Task> {
  await eventually(async () => hasEnded((await queue.get(id))!), `${id} has ended`);
  return (await queue.get(id))!;
}

/** The queue, with claims some of whose methods are replaced. */
function withClaims(queue: Queue, replace: (claim: Claim) => Partial<Claim>): Queue {
  const claim: Queue['claim'] = async (lane, options) => {
    const taken = await queue.claim(lane, options);
    return taken && { ...taken, ...replace(taken) };
  };
  return new Proxy(queue, {
    get(target, name) {
      const method = name === 'claim' ? claim : target[name as keyof Queue];
      return (method as () => unknown).bind(target);
    },
  });
}

function withResolvers<T>() {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
