/** The commands of tasks as child processes: exit codes, signals, and what one process sees of another. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import test, { type TestContext } from 'node:test';
import { percept } from '../support/percept.ts';
import { temporaryFile } from '../support/temporary.ts';
import { wavFile } from '../support/wav.ts';

const wav = (t: TestContext) =>
  temporaryFile(t, 'talk.wav', wavFile(new Float32Array(16_000), { sampleRate: 16_000 }));

test('exit codes: 0 taken, 1 failed, 2 asked wrongly', async (t) => {
  // A model that may be installed when the task runs is no reason to refuse it.
  const { run } = await percept(t, { PERCEPT_OFFLINE: 'false' });
  const path = await wav(t);
  const taken = await run('process', '--features', 'raw_transcript', path);
  assert.match(taken.stdout, /^[0-9a-f-]{36}\n$/);
  assert.match(taken.stderr, /^No worker runs: /);
  assert.equal(taken.code, 0);
  const text = await temporaryFile(t, 'talk.wav', Buffer.from('not a recording'));
  const failed = await run('process', '--features', 'raw_transcript', text);
  assert.match(failed.stderr, /percept: .*talk\.wav: The file is no recording/);
  assert.deepEqual([failed.code, failed.stdout], [1, '']);
  const wrong = await Promise.all([
    run('process', path),
    run('process', '--features', 'transcript', path),
    run('process'),
  ]);
  assert.deepEqual(
    wrong.map(({ code }) => code),
    [2, 2, 2],
  );
  assert.match(wrong[1]!.stderr, /There is no feature "transcript"; expected some of raw_transcript/);
  const shown = await run('tasks', 'show', taken.stdout.trim());
  assert.equal(JSON.parse(shown.stdout).status, 'PENDING');
  assert.equal((await run('tasks', 'show', 'x')).code, 1);
});

test('a worker is seen by --check, ends at SIGTERM with exit code 0, and is gone at once', async (t) => {
  const { run, start } = await percept(t);
  const before = await run('worker', '--check');
  assert.equal(before.code, 1);
  assert.match(before.stderr, /No worker has given a sign of life/);
  const worker = start('worker');
  const ended = once(worker, 'exit', { signal: AbortSignal.timeout(20_000) });
  for await (const line of createInterface({ input: worker.stderr! }))
    if (line.includes('taking tasks')) break;
  // Its first sign of life is on its way.
  let during = await run('worker', '--check');
  if (during.code !== 0) during = await run('worker', '--check');
  assert.deepEqual([during.code, during.stdout], [0, '0 waiting, 0 running\n']);
  worker.kill('SIGTERM');
  assert.deepEqual(await ended, [0, null]);
  assert.equal((await run('worker', '--check')).code, 1);
});

test('a queue that does not answer is told of, and the exit code is 1', async (t) => {
  const { run } = await percept(t, {
    PERCEPT_TASKS_QUEUE: 'redis',
    PERCEPT_TASKS_REDIS_URL: 'redis://127.0.0.1:9',
  });
  const [check, list] = await Promise.all([run('worker', '--check'), run('tasks', 'list')]);
  assert.deepEqual([check.code, check.stderr], [1, 'percept: The queue does not answer.\n']);
  assert.equal(list.code, 1);
  assert.match(list.stderr, /^percept: .*Redis/);
});
