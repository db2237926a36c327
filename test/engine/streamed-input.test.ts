import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { AppError } from '../../src/base/errors.ts';
import type { ModelLease } from '../../src/engine/engine.ts';
import { openEngine } from '../support/engine.ts';
import { createGate } from '../support/gate.ts';
import { eventually } from '../support/processes.ts';

async function openModel(context: TestContext): Promise<{ model: ModelLease; pid: number }> {
  const { engine, spec } = await openEngine(context);
  const model = await engine.lease(spec('a'));
  return { model, pid: (await engine.state()).models[0]!.pid! };
}

/** An endless source that counts what was asked of it, and knows when nobody reads it any more. */
function source() {
  const asked = { count: 0, isLeft: false };
  async function* chunks() {
    try {
      for (;;) {
        asked.count += 1;
        yield Uint8Array.of(asked.count);
      }
    } finally {
      asked.isLeft = true;
    }
  }
  return { asked, chunks: chunks() };
}

test('chunks reach the model in order, as they are, and the call ends after the last', async (context) => {
  const { model } = await openModel(context);
  async function* chunks() {
    yield { type: 'audio', pcm: Uint8Array.of(1, 2, 3) };
    yield { type: 'clear' };
  }
  const events: unknown[] = [];
  const output = await model.call('collect', null, {
    chunks: chunks(),
    onEvent: (event) => events.push(event),
  });
  assert.deepEqual(output, [{ type: 'audio', pcm: Uint8Array.of(1, 2, 3) }, { type: 'clear' }]);
  assert.deepEqual(events, output);
});

test('a call without streamed input has none', async (context) => {
  const { model } = await openModel(context);
  assert.deepEqual(await model.call('collect', null), []);
});

test('no more is asked of the source than the model takes, but one', async (context) => {
  const { model } = await openModel(context);
  const { asked, chunks } = source();
  const controller = new AbortController();
  const taken = createGate();
  const answer = model.call('takeOne', null, { chunks, signal: controller.signal, onEvent: taken.open });
  await taken.opened;
  // Two round trips: time enough for a second chunk to be asked for, and for a third if nothing held it back.
  await model.call('echo', 1);
  await model.call('echo', 2);
  assert.ok(asked.count <= 2, `${asked.count} chunks were asked for`);
  controller.abort();
  await assert.rejects(answer, { code: 'cancelled' });
  await eventually(() => asked.isLeft, 'the source is left');
});

test('a source that fails ends its call with its error, and the model goes on', async (context) => {
  const { model } = await openModel(context);
  async function* chunks() {
    yield 1;
    throw new AppError('audio_too_long', 'Too long.');
  }
  await assert.rejects(model.call('collect', null, { chunks: chunks() }), { code: 'audio_too_long' });
  assert.equal(await model.call('echo', 1), 1);
});

test('a chunk that cannot be cloned ends its call, and the model goes on', async (context) => {
  const { model } = await openModel(context);
  async function* chunks() {
    yield () => 'a function';
  }
  await assert.rejects(model.call('collect', null, { chunks: chunks() }), /could not be cloned/);
  assert.equal(await model.call('echo', 1), 1);
});

test('a call that ends before its input leaves the source', async (context) => {
  const { model } = await openModel(context);
  const { asked, chunks } = source();
  assert.equal(await model.call('ignoreChunks', null, { chunks }), 'ignored');
  await eventually(() => asked.isLeft, 'the source is left');
});

test('a process that ends in the middle of a stream ends the call and leaves the source', async (context) => {
  const { model, pid } = await openModel(context);
  const { asked, chunks } = source();
  const taken = createGate();
  const answer = model.call('takeOne', null, { chunks, onEvent: taken.open });
  answer.catch(() => {});
  await taken.opened;
  process.kill(pid, 'SIGKILL');
  await assert.rejects(answer, { code: 'model_crashed' });
  await eventually(() => asked.isLeft, 'the source is left');
});

test('streams of two calls do not mix', async (context) => {
  const { model } = await openModel(context);
  async function* chunks(name: string) {
    for (let index = 0; index < 50; index += 1) yield `${name}${index}`;
  }
  const names = ['a', 'b', 'c'];
  const outputs = await Promise.all(
    names.map((name) => model.call('collect', null, { chunks: chunks(name) })),
  );
  assert.deepEqual(
    outputs,
    names.map((name) => Array.from({ length: 50 }, (_, index) => `${name}${index}`)),
  );
});
