/** What every queue keeps, whatever holds its tasks. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, type TestContext, test } from 'node:test';
import type { Queue } from '../../src/jobs/queue.ts';
import { hasEnded, type Task, type TaskEvent } from '../../src/jobs/task.ts';
import { eventually } from '../support/processes.ts';
import {
  claimNow,
  deadWorker,
  distantWorker,
  LANE,
  LIMITS,
  livingWorker,
  mustClaim,
  newTask,
  type QueueUnderTest,
  turnedClock,
} from './queue-under-test.ts';

const ERROR = { code: 'model_crashed', message: 'It crashed.' } as const;

export function describeQueue(
  name: string,
  prepare: (context: TestContext) => Promise<QueueUnderTest>,
): void {
  const queueTest = (what: string, run: (tasks: QueueUnderTest) => Promise<void>) =>
    test(what, async (t) => run(await prepare(t)));

  describe(name, () => {
    queueTest('a submitted task is there for every process, waiting', async (tasks) => {
      const queue = tasks.open();
      const task = newTask({ input: { text: 'Grüße', list: [1, null, true] } });
      const { task: submitted, isNew } = await queue.submit(task);
      assert.equal(isNew, true);
      assert.equal(submitted.state, 'waiting');
      const read = await tasks.open().get(task.id);
      assert.deepEqual(read?.input, task.input);
      assert.equal(read?.state, 'waiting');
      assert.deepEqual(events(read!), ['submitted']);
      assert.equal(await queue.get(randomUUID()), undefined);
      assert.equal(await queue.look(randomUUID()), undefined);
      assert.deepEqual(await queue.depth(LANE), { waiting: 1, running: 0 });
      assert.equal(await queue.isConnected(), true);
    });

    queueTest('tasks survive the closing of the queue', async (tasks) => {
      const first = tasks.open();
      const kept = newTask();
      await first.submit(kept);
      await first.close();
      const claim = await mustClaim(tasks.open());
      assert.equal(claim.task.id, kept.id);
      await claim.complete('done');
      assert.equal((await tasks.open().get(kept.id))?.output, 'done');
    });

    queueTest('tasks are taken by priority, then by age', async (tasks) => {
      const queue = tasks.open();
      const order = ['low', 'normal', 'high', 'normal', 'low', 'high'] as const;
      const submitted = order.map((priority) => newTask({ priority }));
      for (const task of submitted) await queue.submit(task);
      const taken: string[] = [];
      for (const _ of submitted) {
        const claim = await mustClaim(queue);
        taken.push(claim.task.id);
        await claim.complete(null);
      }
      const expected = [2, 5, 1, 3, 0, 4].map((index) => submitted[index]!.id);
      assert.deepEqual(taken, expected);
    });

    queueTest('lists are newest first, by state, in pages that miss nothing', async (tasks) => {
      const queue = tasks.open();
      const submitted = Array.from({ length: 7 }, () => newTask());
      for (const task of submitted) await queue.submit(task);
      await queue.cancel(submitted[3]!.id);
      const seen: string[] = [];
      let cursor: string | undefined;
      do {
        const page = await queue.list({ lane: LANE, limit: 3, cursor });
        assert.ok(page.tasks.length <= 3);
        seen.push(...page.tasks.map(({ id }) => id));
        cursor = page.cursor;
      } while (cursor !== undefined);
      assert.deepEqual(seen, submitted.map(({ id }) => id).reverse());
      const cancelled = await queue.list({ lane: LANE, states: ['cancelled'], limit: 10 });
      assert.deepEqual(
        cancelled.tasks.map(({ id }) => id),
        [submitted[3]!.id],
      );
      assert.deepEqual((await queue.list({ lane: 'other', limit: 10 })).tasks, []);
    });

    queueTest('of 200 that are submitted at once, as many are taken as may wait', async (tasks) => {
      const queues = [tasks.open(), tasks.open()];
      const submissions = Array.from({ length: 200 }, (_, index) =>
        queues[index % 2]!.submit(newTask({ lane: 'small' })),
      );
      const results = await Promise.allSettled(submissions);
      const refused = results.filter((result) => result.status === 'rejected');
      assert.equal(results.length - refused.length, 10);
      for (const { reason } of refused) {
        assert.equal(reason.code, 'queue_full');
        assert.ok(reason.retryAfterSeconds >= 1);
      }
      assert.deepEqual(await queues[0]!.depth('small'), { waiting: 10, running: 0 });
      await assert.rejects(queues[0]!.requireRoom('small'), { code: 'queue_full' });
      await queues[0]!.requireRoom(LANE);
      await (await mustClaim(queues[1]!, { lane: 'small' })).complete(null);
      await queues[0]!.requireRoom('small');
    });

    queueTest('one idempotency key is one task, even when it is asked for at once', async (tasks) => {
      const queues = [tasks.open(), tasks.open()];
      const idempotency = { key: 'a key: "1"', fingerprint: 'x' };
      const results = await Promise.all(
        Array.from({ length: 20 }, (_, index) => queues[index % 2]!.submit(newTask({ idempotency }))),
      );
      assert.equal(results.filter(({ isNew }) => isNew).length, 1);
      const [id] = new Set(results.map(({ task }) => task.id));
      assert.ok(results.every(({ task }) => task.id === id));
      assert.equal((await queues[0]!.findByKey(LANE, idempotency.key))?.id, id);
      assert.equal(await queues[0]!.findByKey('other', idempotency.key), undefined);
      const other = newTask({ idempotency: { ...idempotency, fingerprint: 'y' } });
      await assert.rejects(queues[0]!.submit(other), { code: 'idempotency_conflict' });
      assert.equal(await queues[0]!.get(other.id), undefined);
    });

    queueTest('a known key is answered though the queue is full', async (tasks) => {
      const queue = tasks.open({ limits: { maxWaiting: { [LANE]: 1 } } });
      const idempotency = { key: 'k', fingerprint: 'x' };
      const { task } = await queue.submit(newTask({ idempotency }));
      await assert.rejects(queue.submit(newTask()), { code: 'queue_full' });
      assert.equal((await queue.submit(newTask({ idempotency }))).task.id, task.id);
    });

    queueTest('submitting an id again changes nothing', async (tasks) => {
      const queue = tasks.open();
      const task = newTask();
      await queue.submit(task);
      const claim = await mustClaim(queue);
      const again = await queue.submit({ ...task, input: 'another' });
      assert.equal(again.isNew, false);
      assert.equal(again.task.state, 'running');
      assert.deepEqual(again.task.input, task.input);
      await claim.complete(1);
      assert.equal((await queue.submit(task)).task.state, 'complete');
      assert.equal(await claimNow(queue), undefined);
    });

    queueTest('one task is claimed once, however many ask', async (tasks) => {
      const queues = [tasks.open(), tasks.open(), tasks.open()];
      for (let count = 0; count < 5; count += 1) await queues[0]!.submit(newTask());
      const claims = await Promise.all(
        Array.from({ length: 12 }, (_, index) => claimNow(queues[index % 3]!, { waitMs: 300 })),
      );
      const ids = claims.filter((claim) => claim !== undefined).map(({ task }) => task.id);
      assert.equal(ids.length, 5);
      assert.equal(new Set(ids).size, 5);
    });

    queueTest('who waits for a task gets it as soon as another process submits it', async (tasks) => {
      const worker = tasks.open();
      const claimed = mustClaim(worker);
      const task = newTask();
      await tasks.open().submit(task);
      assert.equal((await claimed).task.id, task.id);
    });

    queueTest('a wait for a task ends with its signal, and takes none along', async (tasks) => {
      const queue = tasks.open();
      const controller = new AbortController();
      const options = { worker: livingWorker(), waitMs: 60_000, signal: controller.signal };
      const claimed = queue.claim(LANE, options);
      controller.abort();
      await assert.rejects(claimed, { code: 'cancelled' });
      await queue.submit(newTask());
      assert.equal((await mustClaim(queue)).task.attempt, 1);
    });

    queueTest('work shows its stage and progress, and keeps what it gave', async (tasks) => {
      const queue = tasks.open();
      const { task } = await queue.submit(newTask());
      const claim = await mustClaim(queue);
      await claim.update({ stage: 'asr', progress: 0.5, output: { transcript: 'hello' } });
      const running = await tasks.open().get(task.id);
      assert.equal(running?.state, 'running');
      assert.equal(running?.stage, 'asr');
      assert.equal(running?.progress, 0.5);
      assert.deepEqual(running?.output, { transcript: 'hello' });
      const { output: _, ...withoutOutput } = running!;
      assert.deepEqual(await queue.look(task.id), withoutOutput);
      await claim.update({ stage: 'llm' });
      assert.equal((await queue.get(task.id))?.progress, 0);
      await claim.fail(ERROR);
      const failed = await queue.get(task.id);
      assert.equal(failed?.state, 'failed');
      assert.deepEqual(failed?.error, ERROR);
      assert.deepEqual(failed?.output, { transcript: 'hello' });
      assert.deepEqual(events(failed!), ['submitted', 'claimed', 'stage', 'stage', 'failed']);
      assert.ok(failed!.revision > running!.revision);
    });

    queueTest('a result that is too large is refused and changes nothing', async (tasks) => {
      const queue = tasks.open();
      const { task } = await queue.submit(newTask());
      const claim = await mustClaim(queue);
      const large = 'x'.repeat(LIMITS.maxOutputBytes);
      await assert.rejects(claim.update({ output: large }), { code: 'result_too_large' });
      const followUps = () => [newTask({ lane: 'webhooks' })];
      await assert.rejects(claim.complete(large, followUps), { code: 'result_too_large' });
      assert.equal((await queue.get(task.id))?.state, 'running');
      assert.deepEqual(await queue.depth('webhooks'), { waiting: 0, running: 0 });
      await claim.fail({ code: 'result_too_large', message: 'large' });
    });

    queueTest('what follows from an end is submitted with it, once, full lane or not', async (tasks) => {
      const queue = tasks.open({ limits: { maxWaiting: { webhooks: 0 } } });
      const { task } = await queue.submit(newTask());
      const next = newTask({ lane: 'webhooks' });
      const claim = await mustClaim(queue);
      await claim.complete('done', (ended) => {
        assert.equal(ended.id, task.id);
        assert.equal(ended.state, 'complete');
        return [next];
      });
      // As one does who did not hear the answer.
      await claim.complete('again', () => [newTask({ lane: 'webhooks' })]);
      await assert.rejects(claim.fail(ERROR), { code: 'claim_lost' });
      await assert.rejects(claim.beat(), { code: 'claim_lost' });
      const followed = await mustClaim(queue, { lane: 'webhooks' });
      assert.equal(followed.task.id, next.id);
      assert.equal((await queue.get(task.id))?.output, 'done');
      assert.deepEqual(await queue.depth('webhooks'), { waiting: 0, running: 1 });
    });

    queueTest('a task that is given back comes again with the same attempt', async (tasks) => {
      const queue = tasks.open();
      const { task } = await queue.submit(newTask());
      await (await mustClaim(queue)).release();
      assert.equal((await queue.get(task.id))?.state, 'waiting');
      const claim = await mustClaim(tasks.open());
      assert.equal(claim.task.attempt, 1);
      assert.deepEqual(events(claim.task), ['submitted', 'claimed', 'released', 'claimed']);
    });

    queueTest('a task that is tried later is not taken before', async (tasks) => {
      const clock = turnedClock();
      const queue = tasks.open({ clock });
      const { task } = await queue.submit(newTask());
      await (await mustClaim(queue)).retryLater(ERROR, 1000);
      const waiting = await queue.get(task.id);
      assert.equal(waiting?.state, 'waiting');
      assert.deepEqual(waiting?.error, ERROR);
      assert.ok(waiting?.retryAt);
      assert.equal(await claimNow(queue, { waitMs: 100 }), undefined);
      assert.deepEqual(await queue.depth(LANE), { waiting: 1, running: 0 });
      clock.pass(1001);
      const claim = await mustClaim(queue);
      assert.equal(claim.task.attempt, 2);
      assert.equal(claim.task.retryAt, undefined);
    });

    queueTest('a clock that is set back an hour does not put a retry off by an hour', async (tasks) => {
      const clock = turnedClock();
      const queue = tasks.open({ clock });
      await queue.submit(newTask());
      await (await mustClaim(queue)).retryLater(ERROR, 1500);
      clock.jump(-3_600_000);
      assert.equal((await mustClaim(queue)).task.attempt, 2);
    });

    queueTest('a waiting task is cancelled at once, with what follows', async (tasks) => {
      const queue = tasks.open();
      const { task } = await queue.submit(newTask());
      const next = newTask({ lane: 'webhooks' });
      const ended = await queue.cancel(task.id, ({ state }) => (state === 'cancelled' ? [next] : []));
      assert.equal(ended.state, 'cancelled');
      assert.ok(ended.endedAt);
      assert.equal(await claimNow(queue), undefined);
      assert.equal((await mustClaim(queue, { lane: 'webhooks' })).task.id, next.id);
      await assert.rejects(queue.cancel(task.id), { code: 'task_state' });
      await assert.rejects(queue.cancel(randomUUID()), { code: 'task_not_found' });
    });

    queueTest('a running task is cancelled when its worker has stopped', async (tasks) => {
      const queue = tasks.open();
      const { task } = await queue.submit(newTask());
      const claim = await mustClaim(queue);
      assert.equal(await claim.beat(), 'go on');
      const asked = await tasks.open().cancel(task.id);
      assert.equal(asked.state, 'running');
      assert.equal(asked.isCancelling, true);
      assert.equal(await claim.beat(), 'cancel');
      await assert.rejects(claim.release(), { code: 'cancelled' });
      await assert.rejects(claim.retryLater(ERROR, 1), { code: 'cancelled' });
      await claim.cancelled();
      const ended = await queue.get(task.id);
      assert.equal(ended?.state, 'cancelled');
      assert.equal(ended?.isCancelling, false);
    });

    queueTest(
      'what failed or was cancelled is submitted again by a person, its output kept',
      async (tasks) => {
        const queue = tasks.open();
        const { task } = await queue.submit(newTask());
        const first = await mustClaim(queue);
        await first.update({ stage: 'asr', output: 'partial' });
        await assert.rejects(queue.requeue(task.id), { code: 'task_state' });
        await first.fail(ERROR);
        const waiting = await queue.requeue(task.id);
        assert.equal(waiting.state, 'waiting');
        assert.equal(waiting.attempt, 0);
        assert.equal(waiting.output, 'partial');
        assert.equal(waiting.stage, undefined);
        assert.equal(waiting.endedAt, undefined);
        const claim = await mustClaim(queue);
        await claim.complete('whole');
        const complete = await queue.get(task.id);
        assert.equal(complete?.output, 'whole');
        assert.equal(complete?.error, undefined);
        await assert.rejects(queue.requeue(task.id), { code: 'task_state' });
        await assert.rejects(queue.requeue(randomUUID()), { code: 'task_not_found' });
        assert.deepEqual(endsIn(complete!), ['failed', 'complete']);
      },
    );

    queueTest('a full queue refuses a retry by a person, too', async (tasks) => {
      const queue = tasks.open({ limits: { maxWaiting: { [LANE]: 1 } } });
      const { task } = await queue.submit(newTask());
      await queue.cancel(task.id);
      await queue.submit(newTask());
      await assert.rejects(queue.requeue(task.id), { code: 'queue_full' });
      assert.equal((await queue.get(task.id))?.state, 'cancelled');
    });

    queueTest('a task whose process has ended is taken over at once', async (tasks) => {
      const queue = tasks.open();
      await queue.submit(newTask());
      await mustClaim(tasks.open(), { worker: deadWorker() });
      const claim = await claimNow(queue);
      assert.equal(claim?.task.attempt, 2);
      assert.equal(claim?.task.lost, 1);
      assert.deepEqual(events(claim!.task), ['submitted', 'claimed', 'lost', 'claimed']);
    });

    queueTest('a silent worker’s task is taken over after its lease, and not before', async (tasks) => {
      const clock = turnedClock();
      const queue = tasks.open({ clock });
      const { task } = await queue.submit(newTask());
      const silent = await mustClaim(tasks.open(), { worker: distantWorker() });
      const look = async () => {
        clock.pass(900);
        return claimNow(queue);
      };
      assert.equal(await look(), undefined);
      assert.equal(await look(), undefined);
      assert.equal(await silent.beat(), 'go on');
      for (let count = 0; count < 4; count += 1) assert.equal(await look(), undefined);
      const taken = await look();
      assert.equal(taken?.task.id, task.id);
      await taken!.complete('second');
      assert.equal((await queue.get(task.id))?.output, 'second');
    });

    queueTest('no jump of a clock takes a task from a worker that lives', async (tasks) => {
      const clock = turnedClock();
      const queue = tasks.open({ clock });
      await queue.submit(newTask());
      const claim = await mustClaim(tasks.open(), { worker: distantWorker() });
      for (const jump of [86_400_000, -172_800_000, 1]) {
        clock.jump(jump);
        clock.pass(600);
        assert.equal(await claimNow(queue), undefined);
      }
      await claim.complete(null);
    });

    queueTest('a machine that slept does not take its neighbours for gone', async (tasks) => {
      const clock = turnedClock();
      const queue = tasks.open({ clock });
      await queue.submit(newTask());
      const claim = await mustClaim(tasks.open(), { worker: distantWorker() });
      assert.equal(await claimNow(queue), undefined);
      clock.pass(3_600_000);
      assert.equal(await claimNow(queue), undefined);
      await claim.complete(null);
    });

    queueTest('nothing is written by a claim that was taken over', async (tasks) => {
      const queue = tasks.open();
      const { task } = await queue.submit(newTask());
      const old = await mustClaim(queue, { worker: deadWorker() });
      const current = await mustClaim(queue);
      await current.update({ stage: 'asr', output: 'mine' });
      const before = await queue.get(task.id);
      const lost = { code: 'claim_lost' };
      await assert.rejects(old.update({ output: 'theirs' }), lost);
      await assert.rejects(old.beat(), lost);
      await assert.rejects(
        old.complete('theirs', () => [newTask({ lane: 'webhooks' })]),
        lost,
      );
      await assert.rejects(old.fail(ERROR), lost);
      await assert.rejects(old.retryLater(ERROR, 1), lost);
      await assert.rejects(old.cancelled(), lost);
      await assert.rejects(old.release(), lost);
      assert.deepEqual(await queue.get(task.id), before);
      assert.deepEqual(await queue.depth('webhooks'), { waiting: 0, running: 0 });
      await current.complete('mine');
      assert.deepEqual(endsIn((await queue.get(task.id))!), ['complete']);
    });

    queueTest('a task to be cancelled whose worker is gone is given to another, to end it', async (tasks) => {
      const queue = tasks.open();
      const { task } = await queue.submit(newTask());
      await mustClaim(queue, { worker: deadWorker() });
      await queue.cancel(task.id);
      const claim = await mustClaim(queue);
      assert.equal(claim.task.isCancelling, true);
      await claim.cancelled();
      assert.equal((await queue.get(task.id))?.state, 'cancelled');
    });

    queueTest('ended tasks are forgotten after their retention, with their keys', async (tasks) => {
      const queue = tasks.open({ limits: { retentionMs: 1000 } });
      const idempotency = { key: 'k', fingerprint: 'x' };
      const { task } = await queue.submit(newTask({ idempotency }));
      const waiting = newTask();
      await queue.submit(waiting);
      await (await mustClaim(queue)).complete('x');
      assert.equal((await queue.get(task.id))?.output, 'x');
      await eventually(async () => {
        await queue.sweep();
        return (await queue.get(task.id)) === undefined;
      }, 'the task is forgotten');
      assert.equal(await queue.findByKey(LANE, idempotency.key), undefined);
      const { tasks: left } = await queue.list({ lane: LANE, limit: 10 });
      assert.deepEqual(
        left.map(({ id }) => id),
        [waiting.id],
      );
      assert.equal((await queue.submit(newTask({ idempotency }))).isNew, true);
    });

    queueTest('workers are known while they live', async (tasks) => {
      const queue = tasks.open();
      const workers = [livingWorker(), distantWorker(), deadWorker()];
      for (const worker of workers) await queue.beat(worker, [LANE, 'webhooks']);
      const known = await tasks.open().workers();
      assert.deepEqual(
        known.map(({ id }) => id).sort(),
        [workers[0]!.id, workers[1]!.id].sort(),
        'the one whose process has ended is left out',
      );
      assert.deepEqual(known[0]!.lanes, [LANE, 'webhooks']);
      assert.ok(known.every(({ silentMs }) => silentMs >= 0 && silentMs < 5000));
      await queue.leave(workers[0]!);
      assert.equal((await queue.workers()).length, 1);
    });

    queueTest('everyone at work together ends every task exactly once', async (tasks) => {
      const queues = [tasks.open(), tasks.open(), tasks.open()];
      const submitted = Array.from({ length: 40 }, () => newTask());
      for (const task of submitted) await queues[0]!.submit(task);
      const drain = async (queue: Queue, index: number) => {
        for (;;) {
          const claim = await claimNow(queue, { waitMs: 200 });
          if (claim === undefined) return;
          if (claim.task.attempt === 1 && index === 0) await claim.retryLater(ERROR, 1);
          else await claim.complete(index);
        }
      };
      await Promise.all(queues.map(drain));
      for (const { id } of submitted) {
        const task = (await queues[0]!.get(id))!;
        assert.ok(hasEnded(task));
        assert.deepEqual(endsIn(task), ['complete']);
      }
    });
  });
}

function events(task: Pick<Task, 'history'>): TaskEvent['event'][] {
  return task.history.map(({ event }) => event);
}

function endsIn(task: Pick<Task, 'history'>): TaskEvent['event'][] {
  return events(task).filter((event) => ['complete', 'failed', 'cancelled'].includes(event));
}
