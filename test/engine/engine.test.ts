import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import test from 'node:test';
import { processTreeMemoryBytes } from '../../src/engine/memory.ts';
import { openEngine } from '../support/engine.ts';
import { childProcessIds, eventually, isAlive } from '../support/processes.ts';

const MEGABYTE = 2 ** 20;

test('many requests for one model load it once', async (context) => {
  const { engine, spec, loads } = await openEngine(context);
  const wanted = spec('a', { loadMs: 50 });
  const numbers = Array.from({ length: 20 }, (_, index) => index);
  const outputs = await Promise.all(
    numbers.map((n) => engine.use(wanted, {}, (model) => model.call('echo', n))),
  );
  assert.deepEqual(outputs, numbers);
  assert.deepEqual(loads(), ['a']);
});

test('one who leaves while the model loads does not cancel it for the others', async (context) => {
  const { engine, spec, loads } = await openEngine(context);
  const wanted = spec('a', { loadMs: 200 });
  const abort = new AbortController();
  const leaving = engine.lease(wanted, { signal: abort.signal });
  const staying = engine.use(wanted, {}, (model) => model.call('echo', 1));
  abort.abort();
  await assert.rejects(leaving, { code: 'cancelled' });
  assert.equal(await staying, 1);
  assert.deepEqual(loads(), ['a']);
});

test('a load that nobody waits for any more is finished and kept for the next', async (context) => {
  const { engine, spec, loads } = await openEngine(context);
  const wanted = spec('a', { loadMs: 100 });
  const abort = new AbortController();
  const leaving = engine.lease(wanted, { signal: abort.signal });
  abort.abort();
  await assert.rejects(leaving, { code: 'cancelled' });
  assert.equal(await engine.use(wanted, {}, (model) => model.call('echo', 1)), 1);
  assert.deepEqual(loads(), ['a']);
});

test('a load that fails tells every waiter why and is tried again by the next', async (context) => {
  const { engine, spec, loads } = await openEngine(context);
  const broken = spec('a', { onLoad: 'fail', loadMs: 50 });
  const outcomes = await Promise.allSettled([
    engine.lease(broken),
    engine.lease(broken),
    engine.lease(broken),
  ]);
  for (const outcome of outcomes) {
    assert.equal(outcome.status, 'rejected');
    assert.equal(outcome.reason.code, 'unsupported_model');
    assert.equal(outcome.reason.message, 'These are no weights.');
  }
  assert.deepEqual(childProcessIds(), []);
  assert.equal(await engine.use(spec('a'), {}, (model) => model.call('echo', 1)), 1);
  assert.deepEqual(loads(), ['a', 'a']);
});

test('a kind of model without a loader is refused', async (context) => {
  const { engine, spec } = await openEngine(context);
  await assert.rejects(engine.lease(spec('a', {}, { kind: 'llm' })), {
    code: 'unsupported_model',
    message: /kind "llm"/,
  });
});

test('a load that takes too long is killed', async (context) => {
  const { engine, spec } = await openEngine(context, { limits: { loadTimeoutMs: 300 } });
  await assert.rejects(engine.lease(spec('a', { onLoad: 'hang' })), {
    code: 'model_failed',
    message: /did not load within 0.3 s/,
  });
  assert.deepEqual(childProcessIds(), []);
});

test('a model that crashes at every load is not tried for ever', async (context) => {
  const { engine, spec, loads } = await openEngine(context, { limits: { crashWindowMs: 60_000 } });
  const broken = spec('a', { onLoad: 'crash' });
  for (let count = 0; count < 3; count += 1)
    await assert.rejects(engine.lease(broken), { code: 'model_crashed' });
  await assert.rejects(
    engine.lease(broken),
    (error: Error & { code?: string; retryAfterSeconds?: number }) => {
      assert.equal(error.code, 'model_failed');
      assert.match(error.message, /crashed 3 times while loading within 60 s/);
      assert.ok(error.retryAfterSeconds! >= 1 && error.retryAfterSeconds! <= 60);
      return true;
    },
  );
  assert.equal(loads().length, 3);
});

test('after the time of crashes has passed, the model is tried again', async (context) => {
  const { engine, spec } = await openEngine(context, { limits: { crashWindowMs: 1_500 } });
  const broken = spec('a', { onLoad: 'crash' });
  const codes = new Set<string>();
  await eventually(async () => {
    await engine.lease(broken).catch((error) => codes.add(error.code));
    return codes.has('model_failed');
  }, 'the model is refused');
  await eventually(async () => {
    const answer = await engine.use(spec('a'), {}, (model) => model.call('echo', 1)).catch(() => 0);
    return answer === 1;
  }, 'the model is tried again');
});

test('a program that cannot be started is an error, not a crash of the server', async (context) => {
  const { engine, spec } = await openEngine(context, { entry: '/nowhere/model-process.js' });
  await assert.rejects(engine.lease(spec('a')), { code: 'model_crashed' });
});

test('keep_alive 0 unloads after the request and gives the memory back', async (context) => {
  const { engine, spec } = await openEngine(context);
  const before = await processTreeMemoryBytes(process.pid);
  const wanted = spec('a', { allocateBytes: 200 * MEGABYTE });
  for (let round = 0; round < 2; round += 1) {
    await engine.use(wanted, { keepAliveSeconds: 0 }, async () => {
      const { models } = await engine.state();
      assert.ok(models[0]!.memoryBytes > 200 * MEGABYTE, String(models[0]!.memoryBytes));
    });
    await eventually(async () => (await engine.state()).models.length === 0, 'the model is unloaded');
    assert.deepEqual(childProcessIds(), []);
    const left = (await processTreeMemoryBytes(process.pid)) - before;
    assert.ok(left < 30 * MEGABYTE, `${left} bytes are left`);
  }
});

test('a model is unloaded when nobody has used it for its keep-alive time', async (context) => {
  const { engine, spec } = await openEngine(context, { keepAliveDefaultSeconds: 0.05 });
  await engine.use(spec('a'), {}, (model) => model.call('wait', 150));
  assert.equal((await engine.state()).models.length, 1);
  await eventually(async () => (await engine.state()).models.length === 0, 'the model is unloaded');
});

test('the request overrides the model, the model the default, and the last to finish counts', async (context) => {
  const { engine, spec } = await openEngine(context, { keepAliveDefaultSeconds: 11 });
  const seconds = async (model: string) => {
    return (await engine.state()).models.find((state) => state.model === model)?.keepAliveSeconds;
  };
  const echo = (model: { call(method: string, input: unknown): Promise<unknown> }) => model.call('echo', 1);
  await engine.use(spec('a'), {}, echo);
  assert.equal(await seconds('a'), 11);
  const own = spec('b', {}, { keepAliveSeconds: 22 });
  await engine.use(own, {}, echo);
  assert.equal(await seconds('b'), 22);
  const long = engine.use(own, { keepAliveSeconds: 33 }, (model) => model.call('wait', 100));
  await engine.use(own, { keepAliveSeconds: 0 }, echo);
  await long;
  assert.equal(await seconds('b'), 33);
  await engine.use(own, {}, echo);
  assert.equal(await seconds('b'), 22);
  await engine.use(own, { keepAliveSeconds: -1 }, echo);
  assert.equal(await seconds('b'), -1);
});

test('the model used longest ago makes room for another', async (context) => {
  const { engine, spec, loads } = await openEngine(context, { limits: { maxLoaded: 2 } });
  for (const name of ['a', 'b', 'a', 'c', 'a', 'b']) {
    await engine.use(spec(name), {}, (model) => model.call('echo', name));
    assert.ok(childProcessIds().length <= 2);
  }
  assert.deepEqual(loads(), ['a', 'b', 'c', 'b']);
});

test('models make room until the memory budget is kept', async (context) => {
  const { engine, spec } = await openEngine(context, { limits: { memoryBudgetBytes: 1000 * MEGABYTE } });
  const names = async () => (await engine.state()).models.map(({ model }) => model);
  const use = (name: string, megabytes: number) => {
    const wanted = spec(name, {}, { memoryBytes: megabytes * MEGABYTE });
    return engine.use(wanted, {}, (model) => model.call('echo', 1));
  };
  await use('a', 400);
  await use('b', 400);
  assert.deepEqual(await names(), ['a', 'b']);
  await use('c', 700);
  assert.deepEqual(await names(), ['c']);
});

test('a model above the whole budget is loaded alone, with a warning', async (context) => {
  const { engine, spec, lines } = await openEngine(context, {
    limits: { memoryBudgetBytes: 500 * MEGABYTE },
  });
  await engine.use(spec('small'), {}, (model) => model.call('echo', 1));
  const large = spec('large', {}, { memoryBytes: 900 * MEGABYTE });
  assert.equal(await engine.use(large, {}, (model) => model.call('echo', 2)), 2);
  assert.deepEqual(
    (await engine.state()).models.map(({ model }) => model),
    ['large'],
  );
  assert.ok(lines.some(({ level, message }) => level === 'warn' && message.includes('loaded alone')));
});

test('when all loaded models are busy, the next waits for one to finish', async (context) => {
  const { engine, spec, loads } = await openEngine(context, { limits: { maxLoaded: 1 } });
  const first = await engine.lease(spec('a'));
  const working = first.call('wait', 100).finally(() => first.release());
  assert.equal(await engine.use(spec('b'), {}, (model) => model.call('echo', 2)), 2);
  assert.equal(await working, 'waited');
  assert.deepEqual(loads(), ['a', 'b']);
});

test('requests for a busy model do not keep another from its turn for ever', async (context) => {
  const { engine, spec, loads } = await openEngine(context, { limits: { maxLoaded: 1 } });
  const finished: string[] = [];
  const use = (name: string) => {
    return engine.use(spec(name), {}, (model) => model.call('wait', 30)).then(() => finished.push(name));
  };
  const first = await engine.lease(spec('a'));
  const other = use('b');
  const later = [use('a'), use('a'), use('a')];
  first.release();
  await Promise.all([other, ...later]);
  assert.deepEqual(finished, ['b', 'a', 'a', 'a']);
  assert.deepEqual(loads(), ['a', 'b', 'a']);
});

test('models that need one device take turns on it, while others stay', async (context) => {
  const { engine, spec, loads } = await openEngine(context);
  const [first, second] = ['a', 'b'].map((name) => spec(name, {}, { device: 'npu' }));
  const other = spec('c');
  await engine.use(other, {}, (model) => model.call('echo', 0));
  const lease = await engine.lease(first!);
  const waiting = engine.use(second!, {}, (model) => model.call('echo', 2));
  assert.equal(await lease.call('echo', 1), 1);
  assert.deepEqual(
    (await engine.state()).models.map(({ model }) => model),
    ['c', 'a'],
  );
  lease.release();
  assert.equal(await waiting, 2);
  assert.deepEqual(
    (await engine.state()).models.map(({ model }) => model),
    ['c', 'b'],
  );
  assert.deepEqual(loads(), ['c', 'a', 'b']);
});

test('waiting for room ends with its limit, or with the request', async (context) => {
  const { engine, spec } = await openEngine(context, { limits: { maxLoaded: 1, waitTimeoutMs: 100 } });
  const first = await engine.lease(spec('a'));
  await assert.rejects(
    engine.lease(spec('b')),
    (error: Error & { code?: string; retryAfterSeconds?: number }) => {
      assert.equal(error.code, 'queue_full');
      assert.match(error.message, /within 0.1 s: the loaded ones \(a\) are all busy/);
      assert.ok(Number.isInteger(error.retryAfterSeconds));
      return true;
    },
  );
  const abort = new AbortController();
  const waiting = engine.lease(spec('b'), { signal: abort.signal });
  abort.abort();
  await assert.rejects(waiting, { code: 'cancelled' });
  assert.equal(await first.call('echo', 1), 1);
});

test('what is idle is unloaded at once, and what is in use stays', async (context) => {
  const { engine, spec } = await openEngine(context);
  const busy = await engine.lease(spec('busy'));
  for (const model of ['idle', 'other']) await engine.use(spec(model), {}, async () => {});
  await engine.unloadIdle();
  assert.deepEqual(
    (await engine.state()).models.map(({ model, state }) => [model, state]),
    [['busy', 'ready']],
  );
  busy.release();
});

test('a model is unloaded on demand once its requests have finished', async (context) => {
  const { engine, spec, loads } = await openEngine(context);
  const lease = await engine.lease(spec('a'));
  const unloading = engine.unload('a');
  const next = engine.use(spec('a'), {}, (model) => model.call('echo', 2));
  assert.equal(await lease.call('echo', 1), 1);
  lease.release();
  assert.equal(await unloading, true);
  assert.equal(await next, 2);
  assert.deepEqual(loads(), ['a', 'a']);
  assert.equal(await engine.unload('nobody'), false);
});

test('releasing twice counts once', async (context) => {
  const { engine, spec } = await openEngine(context);
  const one = await engine.lease(spec('a'));
  const other = await engine.lease(spec('a'));
  one.release();
  one.release();
  assert.equal((await engine.state()).models[0]!.leases, 1);
  other.release();
});

test('the state tells what is loaded, by whom it is used, and how large it is', async (context) => {
  const { engine, spec } = await openEngine(context, { keepAliveDefaultSeconds: 60 });
  const admission = engine.admit();
  const lease = await engine.lease(spec('a'));
  const state = await engine.state();
  const [model] = state.models;
  assert.equal(state.admitted, 1);
  assert.equal(state.queueDepth, 8);
  assert.equal(model!.state, 'ready');
  assert.ok(isAlive(model!.pid!));
  assert.ok(model!.memoryBytes > 10 * MEGABYTE);
  assert.ok(model!.loadSeconds! >= 0);
  assert.equal(model!.leases, 1);
  assert.equal(model!.idleSeconds, 0);
  lease.release();
  admission.release();
  assert.equal((await engine.state()).admitted, 0);
});

test('closing lets a running request finish and refuses new ones', async (context) => {
  const { engine, spec } = await openEngine(context);
  const lease = await engine.lease(spec('a'));
  const answer = lease.call('wait', 100).finally(() => lease.release());
  const closing = engine.close({ timeoutMs: 10_000 });
  await assert.rejects(engine.lease(spec('a')), { code: 'shutting_down' });
  assert.throws(() => engine.admit(), { code: 'shutting_down' });
  assert.equal(await answer, 'waited');
  await closing;
  assert.deepEqual(childProcessIds(), []);
});

test('closing ends what does not finish in time: requests, loads and waits', async (context) => {
  const { engine, spec } = await openEngine(context, { limits: { maxLoaded: 2 } });
  const lease = await engine.lease(spec('a'));
  const outcomes = Promise.allSettled([
    lease.call('wait', 600_000),
    engine.lease(spec('b', { onLoad: 'hang' })),
    engine.lease(spec('c')),
  ]);
  await eventually(() => childProcessIds().length === 2, 'the second model loads');
  await engine.close({ timeoutMs: 50 });
  for (const outcome of await outcomes) {
    assert.equal(outcome.status, 'rejected');
    assert.equal(outcome.reason.code, 'shutting_down');
  }
  assert.deepEqual(childProcessIds(), []);
});

test('a process that does not end by itself is killed', async (context) => {
  const { engine, spec } = await openEngine(context, { limits: { exitTimeoutMs: 100 } });
  const { pid } = await engine.use(
    spec('a', { onClose: 'hang' }),
    {},
    async () => (await engine.state()).models[0]!,
  );
  await engine.close({ timeoutMs: 10_000 });
  assert.ok(!isAlive(pid!));
});

test('a model process ends when its parent dies', async () => {
  const parent = fork(new URL('./engine-owner-process.js', import.meta.url), { stdio: 'ignore' });
  const [pid] = (await once(parent, 'message')) as [number];
  assert.ok(isAlive(pid));
  parent.kill('SIGKILL');
  await eventually(() => !isAlive(pid), 'the model process has ended');
});

test('the memory of a process includes its children', async (context) => {
  const { engine, spec } = await openEngine(context);
  const alone = await processTreeMemoryBytes(process.pid);
  const lease = await engine.lease(spec('a', { allocateBytes: 100 * MEGABYTE }));
  assert.ok((await processTreeMemoryBytes(process.pid)) > alone + 100 * MEGABYTE);
  lease.release();
  assert.equal(await processTreeMemoryBytes(2 ** 30), 0);
});
