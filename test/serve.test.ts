import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import test from 'node:test';
import { percept } from './support/percept.ts';

test('SIGTERM ends an idle server at once, with exit code 0, even with a connection open', async (t) => {
  const { start } = await percept(t, {
    PERCEPT_MODELS_PRELOAD: 'false',
    PERCEPT_LOG_FORMAT: 'json',
    PERCEPT_SERVER_STOP_TIMEOUT_SECONDS: '60',
  });
  const child = start('serve', '--port', '0');
  const ended = once(child, 'exit', { signal: AbortSignal.timeout(30_000) });
  // The client of this process keeps the connection.
  assert.equal((await fetch(`${await listening(child)}/health`)).status, 200);
  child.kill('SIGTERM');
  assert.deepEqual(await ended, [0, null]);
});

for (const [runsHere, ready] of [
  ['false', 200],
  ['true', 503],
] as const)
  test(`a server of recordings has a model to load only where tasks run: here is ${runsHere}`, async (t) => {
    const { start } = await percept(t, {
      PERCEPT_TASKS_RUN_HERE: runsHere,
      PERCEPT_LOG_FORMAT: 'json',
      PERCEPT_PIPELINE_SPEECH_MODEL: 'whisper-tiny.en',
    });
    const child = start('serve', '--profile', 'maie', '--port', '0');
    const answer = await fetch(`${await listening(child)}/health/ready`);
    assert.equal(answer.status, ready);
    // There is none of it in this data directory, and no network.
    if (ready === 503) assert.match(await answer.text(), /whisper-tiny\.en/);
    const ended = once(child, 'exit', { signal: AbortSignal.timeout(30_000) });
    child.kill('SIGTERM');
    assert.deepEqual(await ended, [0, null]);
  });

test('a server whose Redis is gone says so, and ends at SIGTERM all the same', async (t) => {
  const { start } = await percept(t, {
    PERCEPT_LOG_FORMAT: 'json',
    PERCEPT_TASKS_RUN_HERE: 'false',
    PERCEPT_TASKS_QUEUE: 'redis',
    PERCEPT_TASKS_REDIS_URL: 'redis://127.0.0.1:9',
  });
  const child = start('serve', '--profile', 'maie', '--port', '0');
  const answer = await fetch(`${await listening(child)}/health`);
  const health = (await answer.json()) as { readonly queue_connected: boolean };
  assert.deepEqual([answer.status, health.queue_connected], [503, false]);
  const ended = once(child, 'exit', { signal: AbortSignal.timeout(30_000) });
  child.kill('SIGTERM');
  assert.deepEqual(await ended, [0, null]);
});

/** Where it listens, once it does. */
async function listening(child: ChildProcess): Promise<string> {
  const lines = createInterface({ input: child.stderr! });
  return new Promise((resolve, reject) => {
    lines.on('line', (line) => {
      const { msg, url } = JSON.parse(line) as { msg: string; url?: string };
      if (msg === 'listening') resolve(url!);
    });
    lines.once('close', () => reject(new Error('the server ended before it listened')));
  });
}
