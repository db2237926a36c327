/** The service's answers beside OpenAI's own description of its API, and the service's description of itself. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import test from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { type ErrorBody, form } from '../test/server/server-under-test.ts';
import { assertValid as assertValidValue, NO_DESCRIPTION, openaiSchemas } from './support/openai-schemas.ts';
import { serviceOfFile } from './support/service.ts';
import { librivox, missingWeights } from './support/weights.ts';

const skip = await missingWeights('whisper-base-int8');
const skipDescribed = NO_DESCRIPTION || skip;
const [recording] = skip === false ? await librivox() : [];
const schemas = skipDescribed === false ? await openaiSchemas() : undefined;
const service = serviceOfFile(skip);

const WORDS = { response_format: 'verbose_json', 'timestamp_granularities[]': ['segment', 'word'] } as const;
const ANSWERS: readonly { schema: string; ask(): Promise<Response> }[] = [
  {
    schema: 'CreateTranscriptionResponseJson',
    ask: () => post('transcriptions', { response_format: 'json' }),
  },
  {
    schema: 'CreateTranscriptionResponseVerboseJson',
    ask: () => post('transcriptions', { response_format: 'verbose_json' }),
  },
  {
    schema: 'CreateTranscriptionResponseVerboseJson',
    ask: () => post('transcriptions', WORDS),
  },
  { schema: 'CreateTranslationResponseJson', ask: () => post('translations', { response_format: 'json' }) },
  {
    schema: 'CreateTranslationResponseVerboseJson',
    ask: () => post('translations', { response_format: 'verbose_json' }),
  },
  { schema: 'ListModelsResponse', ask: () => get('/v1/models') },
  { schema: 'Model', ask: () => get('/v1/models/whisper-1') },
];

for (const { schema, ask } of ANSWERS) {
  test(`an answer is a ${schema} of OpenAI's`, { skip: skipDescribed }, async () => {
    const response = await ask();
    assert.equal(response.status, 200);
    assertValid(schema, await response.json());
  });
}

test("every kind of error is an ErrorResponse of OpenAI's", { skip: skipDescribed }, async () => {
  const answers = [
    await get('/v1/models/nonsense'),
    await get('/nothing'),
    await get('/v1/audio/transcriptions'),
    await post('transcriptions', { temperature: '7' }),
    await post('transcriptions', { model: 'nonsense' }),
    await fetch(`${service().url}/v1/audio/transcriptions`, { method: 'POST', body: '{}' }),
  ];
  assert.deepEqual(
    answers.map(({ status }) => status),
    [404, 404, 405, 400, 404, 415],
  );
  for (const answer of answers) assertValid('ErrorResponse', await answer.json());
});

test("OpenAI's description would find a segment without its times", { skip: skipDescribed }, async () => {
  const body = (await (await post('transcriptions', { response_format: 'verbose_json' })).json()) as {
    segments: { start?: number }[];
  };
  delete body.segments[0]!.start;
  assert.equal(schemas!('CreateTranscriptionResponseVerboseJson')(body), false);
});

test("OpenAI's description would find a word without its times", { skip: skipDescribed }, async () => {
  const body = (await (await post('transcriptions', WORDS)).json()) as { words: { start?: number }[] };
  delete body.words[0]!.start;
  assert.equal(schemas!('CreateTranscriptionResponseVerboseJson')(body), false);
});

interface OpenApi {
  readonly openapi: string;
  readonly info: { readonly title: string; readonly version: string };
  readonly paths: Record<string, Record<string, Operation>>;
}

interface Operation {
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly required: boolean }[];
  readonly requestBody?: { readonly content: Record<string, { readonly schema: object }> };
  readonly responses: Record<string, object>;
}

test('the service describes routes that answer, with every parameter of their paths', { skip }, async () => {
  const described = (await (await get('/openapi.json')).json()) as OpenApi;
  assert.match(described.openapi, /^3\./);
  assert.ok(described.info.title && described.info.version);
  const routes = Object.entries(described.paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]) => ({ path, method, operation })),
  );
  for (const path of ['/v1/audio/transcriptions', '/v1/audio/translations', '/v1/models', '/v1/models/{id}'])
    assert.ok(described.paths[path], path);
  for (const { path, method, operation } of routes) {
    const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
    const declared = (operation.parameters ?? []).filter((parameter) => parameter.in === 'path');
    assert.deepEqual(
      declared.map(({ name }) => name),
      inPath,
      path,
    );
    assert.ok(operation.responses['200'], path);
    const id = path.startsWith('/v1/templates') ? 'meeting_notes_v1' : 'whisper-1';
    const response = await fetch(service().url + path.replace('{id}', id), { method: method.toUpperCase() });
    const isOfTask = path.startsWith('/v1/status/');
    // A form is missing where one is expected, and there is no such task; the route itself is there.
    assert.equal(response.status, isOfTask ? 404 : method === 'post' ? 415 : 200, `${method} ${path}`);
    if (isOfTask) assert.equal(((await response.json()) as ErrorBody).error.code, 'task_not_found', path);
  }
});

test('the form of a transcription is described with the fields that it takes', { skip }, async () => {
  const described = (await (await get('/openapi.json')).json()) as OpenApi;
  const operation = described.paths['/v1/audio/transcriptions']!['post']!;
  const { schema } = operation.requestBody!.content['multipart/form-data']!;
  const ajv = new Ajv2020({ strict: false, logger: false });
  const validate = ajv.compile(schema);
  assert.equal(validate({ file: 'x', model: 'whisper-1', response_format: 'srt' }), true);
  assert.equal(validate({ file: 'x', model: 'whisper-1', response_format: 'docx' }), false);
  assert.equal(validate({ model: 'whisper-1' }), false);
});

test('the page of the API is served', { skip }, async () => {
  const response = await get('/docs/');
  assert.equal(response.status, 200);
  assert.match(await response.text(), /swagger-ui/);
});

function get(path: string): Promise<Response> {
  return fetch(service().url + path);
}

async function post(route: string, fields: Parameters<typeof form>[0]): Promise<Response> {
  const bytes = await readFile(recording!.path);
  return fetch(`${service().url}/v1/audio/${route}`, {
    method: 'POST',
    body: form({ model: 'whisper-1', ...fields }, { bytes }),
  });
}

function assertValid(schema: string, body: unknown): void {
  assertValidValue(schemas!(schema), body);
}
