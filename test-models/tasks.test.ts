/** Recordings through `percept serve` as clients meet it: real weights, both queues, webhooks, and a process that is killed. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import test, { type TestContext } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import OpenAI from 'openai';
import { changedWords } from '../src/intelligence/same-words.ts';
import type { StatusReport } from '../src/intelligence/status-report.ts';
import { FEATURES } from '../src/intelligence/task-input.ts';
import type { TaskOutput } from '../src/intelligence/task-output.ts';
import { NO_REDIS } from '../test/jobs/redis-server.ts';
import { answers, type Scene, startLanguageServer } from '../test/support/language-server.ts';
import { eventually } from '../test/support/processes.ts';
import { startS3, whyNoS3 } from '../test/support/s3-server.ts';
import { runChaos } from './support/chaos.ts';
import { LANGUAGE_MODEL, missingLanguageModel } from './support/language-weights.ts';
import { randomNumbers } from './support/random-numbers.ts';
import { QUEUES, startTasks, type TaskService } from './support/tasks.ts';
import { librivox, missingWeights } from './support/weights.ts';

const SPEECH_MODEL = 'whisper-base-int8';
const SMALL_SPEECH_MODEL = 'whisper-tiny.en';
const skip = (await missingLanguageModel()) || (await missingWeights(SPEECH_MODEL, SMALL_SPEECH_MODEL));

const EVERYTHING = { features: FEATURES, template_id: 'meeting_notes_v1', language: 'en' };

async function clip(index = 0): Promise<string> {
  return (await librivox())[index]!.path;
}

/** Of a task that is complete, as its pipeline wrote it. */
function outputOf({ status, error, results, versions, metrics }: StatusReport): TaskOutput {
  assert.equal(status, 'COMPLETE', error ?? status);
  return { results, versions, metrics } as unknown as TaskOutput;
}

/** A summary is what the schema says that clients are shown. */
async function assertValid({ results }: TaskOutput, { get }: TaskService): Promise<void> {
  const schema = (await get('/v1/templates/meeting_notes_v1/schema')) as object;
  const validate = new Ajv2020({ strict: false }).compile(schema);
  assert.ok(validate(results.summary), JSON.stringify(validate.errors));
}

for (const queue of QUEUES)
  test(`a recording is posted and its result fetched, the same to the byte at the second time, with ${queue}`, {
    skip: skip || (queue === 'redis' && NO_REDIS),
  }, async (t) => {
    const tasks = await startTasks(t, { queue });
    const path = await clip();
    const [first, second] = [await tasks.submit(path, EVERYTHING), await tasks.submit(path, EVERYTHING)];
    const output = outputOf(await tasks.ended(first));
    assertComplete(output);
    await assertValid(output, tasks);
    const again = outputOf(await tasks.ended(second));
    for (const part of ['results', 'versions'] as const)
      assert.equal(JSON.stringify(again[part]), JSON.stringify(output[part]));
    const { tasks: listed } = (await tasks.get('/v1/status')) as { tasks: StatusReport[] };
    assert.deepEqual(
      listed.map(({ task_id }) => task_id),
      [second, first],
    );
    await tasks.service().stop();
  });

/** All that the contract lists, and nothing without a value that has one here. */
function assertComplete({ results, versions, metrics }: TaskOutput): void {
  assert.deepEqual(Object.keys(results).sort(), [...FEATURES].sort());
  assert.match(results.raw_transcript!, /dashwood/i);
  assert.equal(changedWords(results.raw_transcript!, results.clean_transcript!, 'en'), undefined);
  assert.deepEqual(Object.keys(versions).sort(), [
    'asr_backend',
    'enhancement_llm',
    'pipeline_version',
    'summarization_llm',
  ]);
  const { asr_backend: asr, enhancement_llm: cleaning, summarization_llm: summary } = versions;
  assert.deepEqual([asr.name, asr.model_variant], ['whisper', SPEECH_MODEL]);
  assert.match(asr.checkpoint_hash, SHA256);
  assert.ok(asr.compute_type && asr.model_path && Object.keys(asr.decoding_params).length > 0);
  for (const [llm, task] of [
    [cleaning!, 'text_enhancement'],
    [summary!, 'summarization'],
  ] as const) {
    assert.deepEqual([llm.name, llm.task], [LANGUAGE_MODEL, task]);
    assert.match(llm.checkpoint_hash!, SHA256);
    assert.match(llm.chat_template!, SHA256);
    assert.deepEqual([llm.thinking, llm.reasoning_parser, typeof llm.quantization], [false, null, 'string']);
    assert.equal(llm.decoding_params['temperature'], 0);
    for (const hash of Object.values(llm.prompt_hashes)) assert.match(hash, SHA256);
  }
  assert.equal(summary!.structured_output!.template_id, 'meeting_notes_v1');
  assert.match(summary!.structured_output!.schema_hash, SHA256);
  const numbers = [
    metrics.input_duration_seconds,
    metrics.processing_time_seconds,
    metrics.rtf,
    metrics.vad_coverage,
    metrics.asr_confidence_avg!,
  ];
  for (const number of numbers) assert.ok(number > 0, JSON.stringify(metrics));
  assert.equal(metrics.edit_rate_cleaning, results.enhancement_metrics!.edit_rate);
  assert.deepEqual(Object.keys(metrics.stages), ['preprocessing', 'asr', 'enhancement', 'summary']);
}

const SHA256 = /^[0-9a-f]{64}$/;

test('another server cleans and summarises in place of our model', { skip }, async (t) => {
  const remote = await startLanguageServer(t, answersLikeVllm);
  const tasks = await startTasks(t, {
    env: {
      PERCEPT_LANGUAGE_ENGINE: 'external',
      PERCEPT_LANGUAGE_URL: `${remote.url}/v1`,
      PERCEPT_MODELS_LANGUAGE: 'qwen3:4b',
      // The transcript is one part.
      PERCEPT_PIPELINE_ENHANCEMENT_MAX_TOKENS: '512',
    },
  });
  const output = outputOf(await tasks.ended(await tasks.submit(await clip(), EVERYTHING)));
  await assertValid(output, tasks);
  const { results, versions } = output;
  assert.deepEqual((results.summary as { title: string }).title, 'The Dashwoods');
  assert.equal(results.clean_transcript, `${results.raw_transcript!.replace(/\W*$/, '')}!`);
  assert.equal(results.enhancement_metrics!.parts_kept_raw, 0);
  assert.equal(versions.summarization_llm!.name, 'qwen3:4b');
  assert.equal(versions.summarization_llm!.structured_output!.backend, 'json_schema');
  assert.equal(versions.summarization_llm!.checkpoint_hash, null);
  assert.deepEqual(
    remote.heard.map(({ method, url }) => `${method} ${url}`),
    ['POST /v1/chat/completions', 'POST /v1/chat/completions'],
  );
  const format = remote.heard[1]!.body['response_format'] as { json_schema: { schema: unknown } };
  assert.deepEqual(format.json_schema.schema, await tasks.get('/v1/templates/meeting_notes_v1/schema'));
});

/** The transcript with another end where text is asked for, notes where a schema is given. */
const answersLikeVllm: Scene = (response, heard) => {
  const messages = heard.body['messages'] as { content: string }[];
  const prompt = messages.map(({ content }) => content).join('\n');
  const transcript = /<transcript>\n(.*?)\n<\/transcript>/s.exec(prompt)?.[1] ?? '';
  const isNotes = heard.body['response_format'] !== undefined;
  const content = isNotes ? JSON.stringify(NOTES) : `${transcript.replace(/\W*$/, '')}!`;
  const whole = {
    id: 'chatcmpl-1',
    object: 'chat.completion',
    created: 1,
    model: heard.body['model'],
    choices: [{ index: 0, message: { role: 'assistant', content }, finish_reason: 'stop' }],
    usage: { prompt_tokens: 9, completion_tokens: 3, total_tokens: 12 },
  };
  answers(200, whole)(response, heard);
};

const NOTES = {
  title: 'The Dashwoods',
  summary: 'A family is told of.',
  participants: [],
  topics: ['Norland Park'],
  decisions: [],
  action_items: [{ task: 'Move', owner: null, due: null }],
  open_questions: [],
};

const SECRET = 'whsec_c2VjcmV0LW9mLXRoZS10ZXN0LXN1aXRl';

test('the end of a task is told to a webhook, signed, and once more when it was not taken', {
  skip,
}, async (t) => {
  const receiver = await startReceiver(t, [500, 204]);
  const tasks = await startTasks(t, {
    env: {
      PERCEPT_TASKS_WEBHOOK_SECRET: SECRET,
      PERCEPT_TASKS_WEBHOOK_RETRY_DELAY_SECONDS: '0.1',
      PERCEPT_MODELS_SPEECH: SMALL_SPEECH_MODEL,
    },
  });
  const id = await tasks.submit(await clip(), { features: 'raw_transcript', webhook_url: receiver.url });
  const report = await tasks.ended(id);
  await eventually(() => receiver.got.length === 2, 'it is sent twice');
  const { webhooks } = new OpenAI({ apiKey: 'none' });
  for (const { body, headers } of receiver.got) {
    await webhooks.verifySignature(body, headers as Record<string, string>, SECRET);
    assert.deepEqual(JSON.parse(body), report);
  }
  const [first, second] = receiver.got.map(({ headers }) => headers['webhook-id']);
  assert.equal(first, second);
});

interface Receiver {
  readonly url: string;
  readonly got: readonly { readonly headers: IncomingHttpHeaders; readonly body: string }[];
}

/** Answers with one status after the other. */
async function startReceiver(t: TestContext, statuses: readonly number[]): Promise<Receiver> {
  const got: { headers: IncomingHttpHeaders; body: string }[] = [];
  const server = createServer(async (request, response) => {
    got.push({ headers: request.headers, body: await text(request) });
    response.writeHead(statuses[got.length - 1] ?? 204).end();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/told`, got };
}

test('recordings in a bucket are fetched by the worker, and nothing is left on its disk', {
  skip: skip || whyNoS3(),
}, async (t) => {
  const { endpoint, bucket, credentials } = await startS3(t);
  const tasks = await startTasks(t, {
    env: {
      PERCEPT_TASKS_RECORDINGS: 's3',
      PERCEPT_TASKS_S3_ENDPOINT: endpoint,
      PERCEPT_TASKS_S3_BUCKET: bucket,
      PERCEPT_TASKS_S3_ACCESS_KEY_ID: credentials.accessKeyId,
      PERCEPT_TASKS_S3_SECRET_ACCESS_KEY: credentials.secretAccessKey,
      PERCEPT_MODELS_SPEECH: SMALL_SPEECH_MODEL,
    },
  });
  const report = await tasks.ended(await tasks.submit(await clip(), { features: 'raw_transcript' }));
  assert.match(outputOf(report).results.raw_transcript!, /dashwood/i);
  assert.deepEqual(await tasks.files('recordings'), []);
});

test('where one model may be loaded each stage has the memory for itself, and a cancelled task stops its model', {
  skip,
}, async (t) => {
  const tasks = await startTasks(t, {
    env: { PERCEPT_MODELS_MAX_LOADED: '1', PERCEPT_MODELS_SPEECH: SMALL_SPEECH_MODEL },
  });
  const id = await tasks.submit(await clip(), { features: 'clean_transcript' });
  const { results } = outputOf(await tasks.ended(id));
  assert.match(results.clean_transcript!, /dashwood/i);
  const another = await tasks.submit(await clip(), EVERYTHING);
  await tasks.until(another, 'writing', ({ status }) => status === 'PROCESSING_LLM');
  assert.ok(tasks.service().modelProcessIds().length <= 1);
  await fetch(`${tasks.service().url}/v1/status/${another}`, { method: 'DELETE' });
  const stopped = await tasks.until(another, 'cancelled', ({ status }) => status === 'CANCELLED');
  assert.match((stopped.results as { raw_transcript: string }).raw_transcript, /dashwood/i);
});

test('a server that is killed at work goes on with the task when it is back', { skip }, async (t) => {
  const tasks = await startTasks(t);
  const id = await tasks.submit(await clip(), EVERYTHING);
  await tasks.until(id, 'writing', ({ status }) => status === 'PROCESSING_LLM');
  await tasks.crash();
  const report = await tasks.ended(id);
  const output = outputOf(report);
  assert.equal(report.attempt, 2);
  // What was heard before is not heard again.
  assert.equal(output.metrics.stages.asr!.is_reused, true);
  assert.match(output.results.raw_transcript!, /dashwood/i);
});

for (const queue of QUEUES)
  test(`nothing that was accepted is lost or done twice at once while everything is killed, with ${queue}`, {
    skip: skip || (queue === 'redis' && NO_REDIS),
  }, async () => {
    const recordings = (await librivox()).map(({ path }) => path);
    const report = await runChaos({
      queue,
      recordings,
      tasks: 25,
      killEveryMs: 1200,
      random: randomNumbers(1),
      env: { PERCEPT_MODELS_SPEECH: SMALL_SPEECH_MODEL, PERCEPT_MODELS_LANGUAGE: LANGUAGE_MODEL },
    });
    assert.deepEqual([report.violations, report.failed], [[], []]);
    assert.deepEqual([report.accepted, report.complete], [25, 25]);
    assert.ok(Object.values(report.kills).reduce((sum, one) => sum + one, 0) > 2, JSON.stringify(report));
  });
