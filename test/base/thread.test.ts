import assert from 'node:assert/strict';
import test from 'node:test';
import { startThread } from '../../src/base/thread.ts';

const ENTRY = new URL('./echo-thread.js', import.meta.url);
const start = (refuses = false) => startThread<number | 'fail' | 'end', number>(ENTRY, { refuses });

test('answers come in the order of the work, and an error only to the work that failed', async () => {
  const thread = await start();
  const asked = [thread.ask(1), thread.ask('fail'), thread.ask(2), thread.ask(3)];
  const [one, failed, ...rest] = await Promise.allSettled(asked);
  assert.deepEqual(
    [one, ...rest].map((result) => result?.status === 'fulfilled' && result.value),
    [1, 2, 3],
  );
  assert.equal(failed?.status === 'rejected' && failed.reason.code, 'unsupported_image');
  await thread.close();
});

test('what opening throws is what starting throws', () =>
  assert.rejects(start(true), { code: 'model_failed', message: /no such graph/ }));

test('a thread that ends fails what it had, and what comes later', async () => {
  const thread = await start();
  const asked = [thread.ask('end'), thread.ask(1)];
  for (const result of await Promise.allSettled(asked))
    assert.equal(result.status === 'rejected' && result.reason.code, 'model_failed');
  await assert.rejects(thread.ask(2), { code: 'model_failed' });
});

test('closing waits for the work before it', async () => {
  const thread = await start();
  const last = thread.ask(7);
  await thread.close();
  assert.equal(await last, 7);
});
