import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import type { ModelLease } from '../../src/engine/engine.ts';
import { openEngine, type TestEngine, type TestEngineOptions } from '../support/engine.ts';
import { eventually, isAlive } from '../support/processes.ts';

async function openModel(
  context: TestContext,
  options: TestEngineOptions = {},
): Promise<TestEngine & { model: ModelLease; pid: number }> {
  const opened = await openEngine(context, options);
  const model = await opened.engine.lease(opened.spec('a'));
  const { models } = await opened.engine.state();
  return { ...opened, model, pid: models[0]!.pid! };
}

/** Starts the call and resolves once the model has begun it. */
async function begin(
  model: ModelLease,
  method: string,
  options: { signal?: AbortSignal; input?: unknown } = {},
) {
  const events: unknown[] = [];
  const { promise: begun, resolve } = withResolver();
  const { signal } = options;
  const answer = model.call(method, options.input, {
    ...(signal === undefined ? {} : { signal }),
    onEvent: (event) => {
      events.push(event);
      resolve();
    },
  });
  answer.catch(() => {});
  await begun;
  return { answer, events };
}

function withResolver(): { promise: Promise<void>; resolve: () => void } {
  let resolve = () => {};
  const promise = new Promise<void>((resolved) => {
    resolve = resolved;
  });
  return { promise, resolve };
}

test('typed arrays cross to the model and back as they are', async (context) => {
  const { model } = await openModel(context);
  const input = { samples: Float32Array.of(0.5, -1), names: ['a'], nothing: undefined };
  assert.deepEqual(await model.call('echo', input), input);
});

test('events arrive in order, before the result', async (context) => {
  const { model } = await openModel(context);
  const events: unknown[] = [];
  const output = await model.call('count', 100, { onEvent: (event) => events.push(event) });
  assert.equal(output, 100);
  assert.deepEqual(
    events,
    Array.from({ length: 100 }, (_, index) => index + 1),
  );
});

test('calls run at the same time and each gets its own answer', async (context) => {
  const { model } = await openModel(context);
  const slow = model.call('wait', 200);
  const numbers = Array.from({ length: 50 }, (_, index) => index);
  assert.deepEqual(await Promise.all(numbers.map((number) => model.call('echo', number))), numbers);
  assert.equal(await slow, 'waited');
});

test('the error of a model arrives with its code, message and field', async (context) => {
  const { model } = await openModel(context);
  await assert.rejects(model.call('fail', undefined), {
    code: 'audio_too_long',
    message: 'Too long.',
    param: 'file',
    retryAfterSeconds: 3,
  });
});

test('an unexpected error is internal, its origin is logged, and the process goes on', async (context) => {
  const { model, lines, pid } = await openModel(context);
  await assert.rejects(model.call('blunder', undefined), { code: 'internal', message: 'a programmer erred' });
  await eventually(
    () => lines.some(({ message }) => message.includes('test-model-process')),
    'the stack is logged',
  );
  await assert.rejects(model.call('uncloneable', undefined), { code: 'internal' });
  assert.equal(await model.call('echo', 1), 1);
  assert.ok(isAlive(pid));
});

test('an input that cannot be cloned rejects its own call only', async (context) => {
  const { model } = await openModel(context);
  await assert.rejects(
    model.call('echo', () => {}),
    /could not be cloned/,
  );
  assert.equal(await model.call('echo', 1), 1);
});

test('a listener that throws ends its own call only', async (context) => {
  const { model } = await openModel(context);
  const onEvent = () => {
    throw new Error('the listener failed');
  };
  await assert.rejects(model.call('count', 3, { onEvent }), /the listener failed/);
  assert.equal(await model.call('echo', 1), 1);
});

test('an abort reaches the model, and the process serves on', async (context) => {
  const { model, pid } = await openModel(context, { limits: { abortTimeoutMs: 5_000 } });
  const abort = new AbortController();
  const { answer } = await begin(model, 'wait', { signal: abort.signal, input: 600_000 });
  abort.abort();
  await assert.rejects(answer, { code: 'cancelled' });
  assert.equal(await model.call('echo', 1), 1);
  assert.ok(isAlive(pid));
});

test('what an aborted call still sends reaches nobody', async (context) => {
  const { model } = await openModel(context);
  const abort = new AbortController();
  const { answer, events } = await begin(model, 'abortedLate', { signal: abort.signal, input: 50 });
  abort.abort();
  await assert.rejects(answer, { code: 'cancelled' });
  await model.call('wait', 100);
  assert.deepEqual(events, ['begun']);
});

test('a signal that has fired already sends nothing', async (context) => {
  const { model } = await openModel(context);
  await assert.rejects(model.call('echo', 1, { signal: AbortSignal.abort() }), { code: 'cancelled' });
});

test('a process that does not answer an abort is killed, and the next request gets a new one', async (context) => {
  const { engine, model, spec, pid, loads } = await openModel(context, { limits: { abortTimeoutMs: 100 } });
  const abort = new AbortController();
  const { answer } = await begin(model, 'spin', { signal: abort.signal });
  const { answer: bystander } = await begin(model, 'wait', { input: 600_000 });
  abort.abort();
  await assert.rejects(answer, { code: 'cancelled' });
  await assert.rejects(bystander, {
    code: 'model_crashed',
    message: /did not stop a cancelled request within 0.1 s/,
  });
  await eventually(() => !isAlive(pid), 'the process is gone');
  assert.equal(await engine.use(spec('a'), {}, (next) => next.call('echo', 2)), 2);
  assert.deepEqual(loads(), ['a', 'a']);
});

for (const [method, reason] of [
  ['crash', 'SIGABRT'],
  ['exit', 'exit code'],
] as const) {
  test(`after ${method} every open call says so, and the next request works`, async (context) => {
    const { engine, model, spec, loads } = await openModel(context);
    const { answer: bystander } = await begin(model, 'wait', { input: 600_000 });
    const wanted = {
      code: 'model_crashed',
      message: new RegExp(`model a ended unexpectedly.*${reason}.*try again`),
    };
    await assert.rejects(model.call(method, 3), wanted);
    await assert.rejects(bystander, wanted);
    await assert.rejects(model.call('echo', 1), wanted);
    model.release();
    assert.equal(await engine.use(spec('a'), {}, (next) => next.call('echo', 2)), 2);
    assert.deepEqual(loads(), ['a', 'a']);
  });
}

test('kill -9 in the middle of a request mentions memory', async (context) => {
  const { engine, model, spec, pid } = await openModel(context);
  const { answer } = await begin(model, 'wait', { input: 600_000 });
  process.kill(pid, 'SIGKILL');
  await assert.rejects(answer, { code: 'model_crashed', message: /SIGKILL/ });
  assert.equal(await engine.use(spec('a'), {}, (next) => next.call('echo', 2)), 2);
});

test('SIGINT and SIGTERM, which a terminal sends to all, do not end a model process', async (context) => {
  const { model, pid } = await openModel(context);
  process.kill(pid, 'SIGINT');
  process.kill(pid, 'SIGTERM');
  assert.equal(await model.call('wait', 50), 'waited');
});

test('what a model prints is logged line by line', async (context) => {
  const { model, lines, pid } = await openModel(context);
  await model.call('print', 'words');
  for (const [level, message] of [
    ['info', 'words to stdout'],
    ['warn', 'words to stderr'],
  ]) {
    await eventually(() => lines.some((line) => line.level === level && line.message === message), message!);
  }
  assert.deepEqual(lines.find(({ message }) => message === 'words to stderr')?.fields, { model: 'a', pid });
});
