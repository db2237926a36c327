/** What an operator relies on: memory comes back, a killed model costs one request, health answers under load. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import test from 'node:test';
import { processTreeMemoryBytes } from '../src/engine/memory.ts';
import { cpuSeconds, eventually, NO_CPU_SECONDS } from '../test/support/processes.ts';
import { type RunningService, startService } from './support/service.ts';
import { librivox, missingWeights } from './support/weights.ts';

const MODEL = 'whisper-base-int8';
const skip = await missingWeights(MODEL);

interface Answer {
  readonly status: number;
  readonly retryAfter: string | null;
  readonly body: {
    readonly text?: string;
    readonly error?: { readonly code: string; readonly message: string };
  };
}

async function ask({ url }: RunningService, fields: Readonly<Record<string, string>> = {}): Promise<Answer> {
  const [recording] = await librivox();
  const form = new FormData();
  for (const [name, value] of Object.entries({ model: MODEL, ...fields })) form.append(name, value);
  form.append('file', new Blob([await readFile(recording!.path)]), recording!.name);
  const response = await fetch(`${url}/v1/audio/transcriptions`, { method: 'POST', body: form });
  const body = (await response.json()) as Answer['body'];
  return { status: response.status, retryAfter: response.headers.get('retry-after'), body };
}

async function withService(
  env: Readonly<Record<string, string>>,
  work: (service: RunningService) => Promise<void>,
): Promise<void> {
  const service = await startService({ env });
  try {
    await work(service);
  } finally {
    await service.stop();
  }
}

test('keep_alive 0 gives the memory back, five times in a row', { skip }, () =>
  withService({ PERCEPT_MODELS_PRELOAD: 'false' }, async (service) => {
    await fetch(`${service.url}/v1/models`);
    const beforeBytes = await processTreeMemoryBytes(service.pid);
    for (let round = 0; round < 5; round += 1) {
      const { status, body } = await ask(service, { keep_alive: '0' });
      assert.equal(status, 200, body.error?.message);
      await eventually(() => service.modelProcessIds().length === 0, 'the model process has ended');
      const grownBytes = (await processTreeMemoryBytes(service.pid)) - beforeBytes;
      assert.ok(grownBytes < 30e6, `round ${round}: ${(grownBytes / 1e6).toFixed(0)} MB more than before`);
    }
  }),
);

test('a model process killed in mid-request costs that request only', { skip: skip || NO_CPU_SECONDS }, () =>
  withService({}, async (service) => {
    const [pid] = service.modelProcessIds() as [number];
    const restedSeconds = cpuSeconds(pid);
    const running = ask(service);
    await eventually(() => cpuSeconds(pid) > restedSeconds + 0.1, 'the model is at work');
    process.kill(pid, 'SIGKILL');
    const { status, body } = await running;
    assert.equal(status, 503);
    assert.equal(body.error?.code, 'model_crashed');
    assert.match(body.error!.message, /try again/i);
    const next = await ask(service);
    assert.equal(next.status, 200);
    assert.notEqual(service.modelProcessIds()[0], pid);
  }),
);

test(
  'fifty clients at once get their text or are told when to come again, and health answers meanwhile',
  { skip },
  () =>
    withService({}, async (service) => {
      let isDone = false;
      const healths: number[] = [];
      const probe = (async () => {
        while (!isDone) healths.push((await service.health()).status);
      })();
      const answers = await Promise.all(Array.from({ length: 50 }, () => ask(service)));
      isDone = true;
      await probe;
      const texts = new Set<string | undefined>();
      for (const { status, retryAfter, body } of answers) {
        if (status === 200) texts.add(body.text);
        else {
          assert.equal(status, 429, body.error?.message);
          assert.ok(
            Number.isInteger(Number(retryAfter)) && Number(retryAfter) >= 1,
            `Retry-After: ${retryAfter}`,
          );
        }
      }
      assert.equal(texts.size, 1, 'the same recording gave different texts');
      assert.ok(healths.every((status) => status === 200));
    }),
);

test('a stopped service finishes the request under way', { skip }, async () => {
  // The time that a stop may take is a limit, not a wait: with this one a lingering timer would hang the test.
  const service = await startService({ env: { PERCEPT_SERVER_STOP_TIMEOUT_SECONDS: '10000' } });
  const running = ask(service);
  await eventually(async () => (await service.health()).queueDepth > 0, 'the request has begun');
  await service.stop();
  assert.equal((await running).status, 200);
});
