/** OpenAI's own Node SDK against the service. */
import assert from 'node:assert/strict';
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import test from 'node:test';
import OpenAI, { type APIError, toFile } from 'openai';
import { wordErrors } from '../src/speech/word-error-rate.ts';
import { eventually } from '../test/support/processes.ts';
import {
  SDK_ENVIRONMENT,
  SDK_KEY,
  SDK_MAX_UPLOAD_BYTES,
  SDK_MISSING_MODEL,
  SDK_MODEL,
  withFullQueue,
} from './support/sdk-service.ts';
import { serviceOfFile } from './support/service.ts';
import { librivox, missingWeights } from './support/weights.ts';

const skip = await missingWeights(SDK_MODEL);
const [recording] = skip === false ? await librivox() : [];
const service = serviceOfFile(skip, { env: SDK_ENVIRONMENT });

test('transcribes into every format', { skip }, async () => {
  const { transcriptions } = client().audio;
  const ask = { model: SDK_MODEL };
  const json = await transcriptions.create({ ...ask, file: speech() });
  assertHeard(json.text);
  const verbose = await transcriptions.create({ ...ask, file: speech(), response_format: 'verbose_json' });
  assert.equal(verbose.text, json.text);
  assert.equal(verbose.language, 'english');
  assert.ok(Math.abs(verbose.duration - 7.1) < 0.01);
  assert.equal(
    verbose
      .segments!.map((segment) => segment.text)
      .join('')
      .trim(),
    json.text,
  );
  const text = await transcriptions.create({ ...ask, file: speech(), response_format: 'text' });
  assert.equal(text, `${json.text}\n`);
  const srt = await transcriptions.create({ ...ask, file: speech(), response_format: 'srt' });
  assert.match(srt, /^1\n00:00:00,000 --> 00:00:0\d,\d{3}\nAnd /);
  const vtt = await transcriptions.create({ ...ask, file: speech(), response_format: 'vtt' });
  assert.match(vtt, /^WEBVTT\n\n00:00:00\.000 --> 00:00:0\d\.\d{3}\nAnd /);
});

test('passes on every field that it knows', { skip }, async () => {
  const { text } = await client().audio.transcriptions.create({
    file: speech(),
    model: 'whisper-1',
    language: 'en',
    prompt: 'Sense and Sensibility',
    temperature: 0,
    response_format: 'verbose_json',
    timestamp_granularities: ['segment'],
    chunking_strategy: {
      type: 'server_vad',
      threshold: 0.5,
      prefix_padding_ms: 300,
      silence_duration_ms: 500,
    },
  });
  assertHeard(text);
});

test('gives the times of words', { skip }, async () => {
  const ask = { file: speech(), model: SDK_MODEL, response_format: 'verbose_json' } as const;
  const found = await client().audio.transcriptions.create({ ...ask, timestamp_granularities: ['word'] });
  assert.equal(found.segments, undefined);
  assert.equal(found.words!.map(({ word }) => word).join(' '), found.text);
  const times = found.words!.flatMap(({ start, end }) => [start, end]);
  assert.deepEqual(
    times,
    times.toSorted((a, b) => a - b),
  );
  assert.ok(times[0]! >= 0 && times.at(-1)! > 6 && times.at(-1)! <= found.duration);
});

test('translates', { skip }, async () => {
  const { translations } = client().audio;
  assertHeard((await translations.create({ file: speech(), model: 'whisper-1' })).text);
  // The SDK's types give every format the type of json.
  const verbose = (await translations.create({
    file: speech(),
    model: SDK_MODEL,
    response_format: 'verbose_json',
  })) as OpenAI.Audio.TranslationVerbose;
  assert.equal(verbose.language, 'english');
  assertHeard(verbose.text);
});

test('lists the models, and retrieves each of them', { skip }, async () => {
  const names: string[] = [];
  for await (const model of client().models.list()) {
    assert.deepEqual(await client().models.retrieve(model.id), model);
    names.push(model.id);
  }
  assert.ok(names.includes(SDK_MODEL));
  assert.equal((await client().models.retrieve('whisper-1')).id, SDK_MODEL);
});

interface Failure {
  readonly name: string;
  readonly as: new (...args: never[]) => APIError;
  readonly is: {
    readonly status: number;
    readonly code: string;
    readonly param: string | null;
    readonly type: string;
  };
  ask(): Promise<unknown>;
}

const FAILURES: readonly Failure[] = [
  {
    name: 'a wrong field',
    as: OpenAI.BadRequestError,
    is: { status: 400, code: 'invalid_request', param: 'temperature', type: 'invalid_request_error' },
    ask: () => client().audio.transcriptions.create({ file: speech(), model: SDK_MODEL, temperature: 7 }),
  },
  {
    name: 'a wrong key',
    as: OpenAI.AuthenticationError,
    is: { status: 401, code: 'unauthorized', param: null, type: 'authentication_error' },
    ask: () => client('nonsense').models.list(),
  },
  {
    name: 'an unknown model',
    as: OpenAI.NotFoundError,
    is: { status: 404, code: 'model_not_found', param: 'model', type: 'invalid_request_error' },
    ask: () => client().audio.transcriptions.create({ file: speech(), model: 'gpt-nonsense' }),
  },
  {
    name: 'an unknown model to retrieve',
    as: OpenAI.NotFoundError,
    is: { status: 404, code: 'model_not_found', param: 'model', type: 'invalid_request_error' },
    ask: () => client().models.retrieve('gpt-nonsense'),
  },
  {
    name: 'a file over the limit',
    as: OpenAI.APIError,
    is: { status: 413, code: 'file_too_large', param: 'file', type: 'invalid_request_error' },
    ask: () => transcribeBytes(new Uint8Array(SDK_MAX_UPLOAD_BYTES + 1)),
  },
  {
    name: 'a file far over the limit',
    as: OpenAI.APIError,
    is: { status: 413, code: 'file_too_large', param: 'file', type: 'invalid_request_error' },
    ask: () => transcribeBytes(new Uint8Array(30 * SDK_MAX_UPLOAD_BYTES)),
  },
  {
    name: 'a file that is no audio',
    as: OpenAI.APIError,
    is: { status: 415, code: 'unsupported_audio', param: 'file', type: 'invalid_request_error' },
    ask: () => transcribeBytes(new TextEncoder().encode('hello '.repeat(100))),
  },
  {
    name: 'a full queue',
    as: OpenAI.RateLimitError,
    is: { status: 429, code: 'queue_full', param: null, type: 'rate_limit_error' },
    ask: () =>
      withFullQueue(service(), () =>
        client().audio.transcriptions.create({ file: speech(), model: SDK_MODEL }),
      ),
  },
  {
    name: 'a model that cannot be had now',
    as: OpenAI.InternalServerError,
    is: { status: 503, code: 'model_not_installed', param: 'model', type: 'server_error' },
    ask: () => client().audio.transcriptions.create({ file: speech(), model: SDK_MISSING_MODEL }),
  },
];

for (const { name, as, is, ask } of FAILURES) {
  test(`${name} throws ${as.name} with status ${is.status}`, { skip }, async () => {
    const thrown = await ask().then(
      () => assert.fail('nothing was thrown'),
      (error: unknown) => error,
    );
    assert.ok(thrown instanceof as, String(thrown));
    const { status, code, param, type } = thrown;
    assert.deepEqual({ status, code, param, type }, is);
    assert.ok(thrown.requestID);
    if (status === 429) assert.match(thrown.headers!.get('retry-after')!, /^[1-9]\d*$/);
  });
}

test('waits and tries again when the queue was full', { skip }, async () => {
  const refusals = () => service().lines.filter((line) => line['code'] === 'queue_full').length;
  const before = refusals();
  // The SDK sends only a file that it holds whole a second time.
  const file = await toFile(await readFile(recording!.path), 'speech.wav');
  const [answer] = await withFullQueue(service(), async () => {
    const asked = client(SDK_KEY, 3).audio.transcriptions.create({ file, model: SDK_MODEL });
    await eventually(() => refusals() > before, 'the first try is refused');
    return [asked];
  });
  assertHeard((await answer!).text);
});

function client(apiKey = SDK_KEY, maxRetries = 0): OpenAI {
  return new OpenAI({ baseURL: `${service().url}/v1`, apiKey, maxRetries });
}

function speech() {
  return createReadStream(recording!.path);
}

async function transcribeBytes(bytes: Uint8Array): Promise<unknown> {
  const file = await toFile(bytes, 'speech.mp3');
  return client().audio.transcriptions.create({ file, model: SDK_MODEL });
}

function assertHeard(text: string): void {
  assert.equal(wordErrors(recording!.reference, text).errors, 0, text);
}
