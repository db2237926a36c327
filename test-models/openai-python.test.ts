/** OpenAI's own Python SDK, and independent readers of subtitles, against the service; the checks are in openai_sdk.py. */
import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { temporaryFile } from '../test/support/temporary.ts';
import { python, runScript } from './support/python.ts';
import { joined, samplesOf, wav } from './support/recordings.ts';
import { SDK_ENVIRONMENT, SDK_KEY, SDK_MODEL, withFullQueue } from './support/sdk-service.ts';
import { serviceOfFile } from './support/service.ts';
import { librivox, missingWeights } from './support/weights.ts';

const interpreter = python();
const skip =
  interpreter === undefined
    ? 'PERCEPT_TEST_PYTHON names no interpreter with openai, pysrt and webvtt-py'
    : await missingWeights(SDK_MODEL);
const service = serviceOfFile(skip, { env: SDK_ENVIRONMENT });

test('the Python SDK finds what it expects', { skip }, async (t) => {
  const checks = await run(t);
  assert.ok(checks.length >= 15, `${checks.length} checks`);
  for (const { name, failure } of checks) await t.test(name, () => assert.equal(failure, null));
});

test('the Python SDK raises RateLimitError when the queue is full', { skip }, async (t) => {
  const checks = await withFullQueue(service(), () => run(t, 'full_queue'));
  assert.deepEqual(checks, [{ name: 'full queue', failure: null }]);
});

interface Check {
  readonly name: string;
  readonly failure: string | null;
}

/** The script hears two recordings in a row, so that subtitles have more than one cue. */
async function run(t: TestContext, ...checks: readonly string[]): Promise<Check[]> {
  const recordings = (await librivox()).slice(0, 2);
  const parts = await Promise.all(recordings.map(({ path }) => samplesOf(path)));
  const path = await temporaryFile(t, 'speech.wav', wav(joined(parts, 4).samples));
  const words = recordings.map(({ reference }) => reference).join(' ');
  return (await runScript('openai_sdk.py', interpreter!, [
    service().url,
    SDK_KEY,
    path,
    words,
    ...checks,
  ])) as Check[];
}
