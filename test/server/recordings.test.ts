import assert from 'node:assert/strict';
import { connect } from 'node:net';
import test, { type TestContext } from 'node:test';
import { AppError } from '../../src/base/errors.ts';
import { readServerEvents } from '../../src/base/server-events.ts';
import type { StatusReport } from '../../src/intelligence/status-report.ts';
import { type IntelligenceUnderTest, startIntelligence } from '../support/intelligence-service.ts';
import { eventually } from '../support/processes.ts';
import { wavFile } from '../support/wav.ts';
import { type ErrorBody, type ServerUnderTest, startServer } from './server-under-test.ts';

const SOUND = wavFile(new Float32Array(16_000), { sampleRate: 16_000 });
const SUMMARY = { template_id: 'meeting_notes_v1' };

interface UnderTest extends IntelligenceUnderTest {
  readonly server: ServerUnderTest;
  post(
    fields?: Record<string, string | string[]>,
    file?: { name?: string; bytes?: Uint8Array; type?: string; key?: string },
  ): Promise<Response>;
  /** Of a recording that is taken. */
  submit(fields?: Record<string, string | string[]>): Promise<string>;
  status(id: string): Promise<StatusReport>;
}

async function start(
  context: TestContext,
  given: Parameters<typeof startIntelligence>[1] & { readonly apiKeys?: string[] } = {},
): Promise<UnderTest> {
  const intelligence = await startIntelligence(context, given);
  const server = await startServer(context, {
    intelligence: intelligence.service,
    options: { maxUploadBytes: 256 * 1024, apiKeys: given.apiKeys ?? [] },
  });
  const post: UnderTest['post'] = async (fields = SUMMARY, file = {}) => {
    const body = new FormData();
    for (const [name, value] of Object.entries(fields))
      for (const text of [value].flat()) body.append(name, text);
    const bytes = (file.bytes ?? SOUND) as Uint8Array<ArrayBuffer>;
    body.append('file', new Blob([bytes], { type: file.type ?? '' }), file.name ?? 'talk.wav');
    const headers = file.key === undefined ? {} : { 'idempotency-key': file.key };
    return fetch(`${server.url}/v1/process`, { method: 'POST', body, headers });
  };
  return {
    ...intelligence,
    server,
    post,
    async submit(fields) {
      const response = await post(fields);
      assert.equal(response.status, 202, await response.clone().text());
      return ((await response.json()) as { task_id: string }).task_id;
    },
    status: async (id) => (await (await fetch(`${server.url}/v1/status/${id}`)).json()) as StatusReport,
  };
}

test('a recording is taken, processed, and its status holds what was asked', async (context) => {
  const under = await start(context);
  const response = await under.post({ ...SUMMARY, features: ['raw_transcript', 'summary'], language: 'en' });
  assert.equal(response.status, 202);
  const { task_id: id } = (await response.json()) as { task_id: string };
  assert.equal(response.headers.get('location'), `/v1/status/${id}`);
  const pending = await under.status(id);
  assert.deepEqual(
    [pending.task_id, pending.status, pending.results, pending.error, pending.completed_at],
    [id, 'PENDING', null, null, null],
  );
  assert.deepEqual(pending.features, ['raw_transcript', 'summary']);
  assert.deepEqual(await under.kept(), [id]);
  assert.deepEqual(await under.incoming(), []);
  under.startWorker(async (_, { update }) => {
    update({ stage: 'PROCESSING_ASR', progress: 0.5 });
    return {
      versions: { pipeline_version: '1' },
      metrics: { rtf: 0.1 },
      results: { raw_transcript: 'Hello.' },
    };
  });
  await eventually(async () => (await under.status(id)).status === 'COMPLETE', 'complete');
  const done = await under.status(id);
  assert.deepEqual(done.results, { raw_transcript: 'Hello.' });
  assert.deepEqual([done.progress, done.stage, done.file_name], [1, 'PROCESSING_ASR', 'talk.wav']);
  assert.ok(Date.parse(done.completed_at!) >= Date.parse(done.submitted_at));
});

const BAD: readonly {
  readonly what: string;
  readonly fields?: Record<string, string | string[]>;
  readonly file?: { name?: string; bytes?: Uint8Array; type?: string; key?: string };
  readonly expected: readonly [status: number, code: string, param: string | null];
}[] = [
  { what: 'a summary without a template', fields: {}, expected: [422, 'missing_template', 'template_id'] },
  {
    what: 'a template that is not there',
    fields: { template_id: 'poem_v1' },
    expected: [422, 'missing_template', 'template_id'],
  },
  {
    what: 'a template that would be a path',
    fields: { template_id: '../../etc/passwd' },
    expected: [422, 'missing_template', 'template_id'],
  },
  {
    what: 'a template with a broken schema',
    fields: { template_id: 'broken_v1' },
    expected: [422, 'invalid_template', 'template_id'],
  },
  {
    what: 'a feature that is none',
    fields: { ...SUMMARY, features: 'poem' },
    expected: [400, 'invalid_request', 'features'],
  },
  {
    what: 'an unknown field',
    fields: { ...SUMMARY, colour: 'red' },
    expected: [400, 'invalid_request', 'colour'],
  },
  {
    what: 'an unknown model',
    fields: { ...SUMMARY, model: 'nonsense' },
    expected: [404, 'model_not_found', 'model'],
  },
  {
    what: 'a webhook that is no URL',
    fields: { ...SUMMARY, webhook_url: 'nowhere' },
    expected: [400, 'invalid_request', 'webhook_url'],
  },
  {
    what: 'a webhook into the cloud’s own secrets',
    fields: { ...SUMMARY, webhook_url: 'http://169.254.169.254/' },
    expected: [400, 'invalid_request', 'webhook_url'],
  },
  {
    what: 'a priority that is none',
    fields: { ...SUMMARY, priority: 'urgent' },
    expected: [400, 'invalid_request', 'priority'],
  },
  {
    what: 'a file name that is a path',
    file: { name: '../../etc/cron.d/x.wav' },
    expected: [400, 'invalid_file_name', 'file'],
  },
  {
    what: 'a file name with a backslash',
    file: { name: '..\\x.wav' },
    expected: [400, 'invalid_file_name', 'file'],
  },
  { what: 'an empty file', file: { bytes: new Uint8Array(0) }, expected: [400, 'invalid_request', 'file'] },
  {
    what: 'a text by its name',
    file: { name: 'minutes.txt' },
    expected: [415, 'unsupported_media_type', 'file'],
  },
  {
    what: 'a PDF by its media type',
    file: { type: 'application/pdf' },
    expected: [415, 'unsupported_media_type', 'file'],
  },
  {
    what: 'a text by its content',
    file: { bytes: new TextEncoder().encode('These are the minutes.') },
    expected: [415, 'unsupported_audio', 'file'],
  },
  {
    what: 'a picture with the name of a recording',
    file: { bytes: new Uint8Array([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10, ...new Array(64).fill(0)]) },
    expected: [415, 'unsupported_audio', 'file'],
  },
  {
    what: 'a file over the limit',
    file: { bytes: new Uint8Array(300 * 1024) },
    expected: [413, 'file_too_large', 'file'],
  },
  {
    what: 'an idempotency key with a blank',
    file: { key: 'two words' },
    expected: [400, 'invalid_request', 'Idempotency-Key'],
  },
];

for (const { what, fields, file, expected } of BAD) {
  test(`${what} is refused with ${expected[0]}, and nothing is left`, async (context) => {
    const under = await start(context);
    const response = await under.post(fields, file);
    const { error } = (await response.json()) as ErrorBody;
    assert.deepEqual([response.status, error.code, error.param], expected, error.message);
    assert.deepEqual([await under.kept(), await under.incoming()], [[], []]);
    assert.deepEqual((await under.queue.list({ lane: 'recordings', limit: 10 })).tasks, []);
  });
}

test('without a key of the server nothing is taken', async (context) => {
  const under = await start(context, { apiKeys: ['alpha'] });
  assert.equal((await under.post()).status, 401);
  for (const path of ['/v1/status', '/v1/templates', '/v1/status/x/events'])
    assert.equal((await fetch(under.server.url + path)).status, 401, path);
  const basic = { authorization: `Basic ${Buffer.from('anyone:alpha').toString('base64')}` };
  assert.equal((await fetch(`${under.server.url}/v1/templates`, { headers: basic })).status, 401);
});

test('webhooks are refused by a server that cannot sign them', async (context) => {
  const under = await start(context, { parts: { webhooks: { areSigned: false, allowedHosts: [] } } });
  const response = await under.post({ ...SUMMARY, webhook_url: 'https://example.com/' });
  assert.equal(response.status, 400);
  assert.match(((await response.json()) as ErrorBody).error.message, /tasks\.webhook_secret/);
});

test('a full queue is 429 with whole seconds to wait, before the upload is read', async (context) => {
  const under = await start(context, { limits: { maxWaiting: { recordings: 1 } } });
  await under.submit();
  const response = await under.post();
  assert.equal(response.status, 429);
  assert.match(response.headers.get('retry-after')!, /^[1-9]\d*$/);
  assert.deepEqual((await under.kept()).length, 1);
});

test('200 uploads at once are 202 or 429, as many taken as there is room, and nothing of the others is left', async (context) => {
  const under = await start(context, { limits: { maxWaiting: { recordings: 50 } } });
  const statuses = await Promise.all(Array.from({ length: 200 }, async () => (await under.post()).status));
  const taken = statuses.filter((status) => status === 202).length;
  assert.deepEqual([taken, statuses.filter((status) => status === 429).length], [50, 150]);
  assert.equal((await under.kept()).length, 50);
  await eventually(async () => (await under.incoming()).length === 0, 'no upload is left');
});

test('the same key and recording is the same task, full queue or not; another recording under it is a clash', async (context) => {
  const under = await start(context, { limits: { maxWaiting: { recordings: 1 } } });
  const ids = new Set<string>();
  for (let i = 0; i < 3; i += 1) {
    const response = await under.post(SUMMARY, { key: 'order-66' });
    assert.equal(response.status, 202);
    ids.add(((await response.json()) as { task_id: string }).task_id);
  }
  assert.equal(ids.size, 1);
  assert.deepEqual(await under.kept(), [...ids]);
  const louder = wavFile(new Float32Array(16_000).fill(0.5), { sampleRate: 16_000 });
  for (const clash of [
    await under.post(SUMMARY, { key: 'order-66', bytes: louder }),
    await under.post({ ...SUMMARY, features: 'summary' }, { key: 'order-66' }),
  ]) {
    assert.equal(clash.status, 409);
    assert.equal(((await clash.json()) as ErrorBody).error.code, 'idempotency_conflict');
  }
  assert.deepEqual(await under.kept(), [...ids]);
});

test('ten requests with one key at once are one task', async (context) => {
  const under = await start(context);
  const answers = await Promise.all(Array.from({ length: 10 }, () => under.post(SUMMARY, { key: 'k' })));
  const ids = await Promise.all(
    answers.map(async (answer) => ((await answer.json()) as { task_id: string }).task_id),
  );
  assert.equal(new Set(ids).size, 1);
  assert.deepEqual(await under.kept(), [ids[0]]);
});

test('a client that goes away while it sends leaves nothing', async (context) => {
  const under = await start(context);
  const socket = connect(Number(new URL(under.server.url).port), '127.0.0.1');
  const part = '--b\r\ncontent-disposition: form-data; name="file"; filename="a.wav"\r\n\r\n';
  socket.write(
    `POST /v1/process HTTP/1.1\r\nhost: a\r\ncontent-type: multipart/form-data; boundary=b\r\ncontent-length: 99999\r\n\r\n${part}`,
  );
  socket.write(SOUND);
  await eventually(async () => (await under.incoming()).length === 1, 'the upload has begun');
  socket.destroy();
  await eventually(async () => (await under.incoming()).length === 0, 'the upload is gone');
  assert.deepEqual(await under.kept(), []);
});

test('a task that is not there is 404, for every way to ask', async (context) => {
  const { server } = await start(context);
  const url = `${server.url}/v1/status/0b3e5a34-0000-4000-8000-000000000000`;
  for (const [path, method] of [
    ['', 'GET'],
    ['', 'DELETE'],
    ['/events', 'GET'],
    ['/retry', 'POST'],
  ]) {
    const response = await fetch(url + path, { method: method! });
    assert.deepEqual(
      [response.status, ((await response.json()) as ErrorBody).error.code],
      [404, 'task_not_found'],
      `${method} ${path}`,
    );
  }
});

test('a waiting task is cancelled at once, a second time is 409, and it can be retried', async (context) => {
  const under = await start(context);
  const id = await under.submit();
  const url = `${under.server.url}/v1/status/${id}`;
  const cancelled = await fetch(url, { method: 'DELETE' });
  assert.deepEqual([cancelled.status, ((await cancelled.json()) as StatusReport).status], [200, 'CANCELLED']);
  assert.equal((await fetch(url, { method: 'DELETE' })).status, 409);
  const retried = await fetch(`${url}/retry`, { method: 'POST' });
  assert.deepEqual([retried.status, ((await retried.json()) as StatusReport).status], [200, 'PENDING']);
  assert.equal((await fetch(`${url}/retry`, { method: 'POST' })).status, 409);
});

test('a running task is told to stop, and ends cancelled', async (context) => {
  const under = await start(context);
  const id = await under.submit();
  under.startWorker(
    (_, { signal }) =>
      new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
  );
  await eventually(async () => (await under.status(id)).status === 'PREPROCESSING', 'running');
  const answer = await fetch(`${under.server.url}/v1/status/${id}`, { method: 'DELETE' });
  assert.equal(answer.status, 202);
  await eventually(async () => (await under.status(id)).status === 'CANCELLED', 'cancelled');
});

test('a task that fails keeps what it had, with the reason', async (context) => {
  const under = await start(context);
  const id = await under.submit();
  under.startWorker(async (_, { update }) => {
    update({ stage: 'PROCESSING_LLM', output: { results: { raw_transcript: 'Kept.' } } });
    throw new AppError('model_failed', 'The model failed.');
  });
  await eventually(async () => (await under.status(id)).status === 'FAILED', 'failed');
  const { results, error, error_code, stage } = await under.status(id);
  assert.deepEqual(
    [results, error, error_code, stage],
    [{ raw_transcript: 'Kept.' }, 'The model failed.', 'model_failed', 'PROCESSING_LLM'],
  );
});

test('events tell every stage once and end with the task', async (context) => {
  const under = await start(context);
  const id = await under.submit();
  const response = await fetch(`${under.server.url}/v1/status/${id}/events`);
  assert.match(response.headers.get('content-type')!, /^text\/event-stream/);
  const seen: StatusReport['status'][] = [];
  let go = () => {};
  const stages = new Promise<void>((resolve) => {
    go = resolve;
  });
  for await (const { name, data } of readServerEvents(response.body!)) {
    assert.equal(name, 'status');
    const report = JSON.parse(data) as StatusReport;
    assert.equal(Object.hasOwn(report, 'results'), false);
    if (seen.at(-1) !== report.status) seen.push(report.status);
    if (report.status === 'PENDING' && seen.length === 1) {
      under.startWorker(async (_, { update }) => {
        update({ stage: 'PROCESSING_ASR' });
        await stages;
        return {};
      });
    }
    if (report.status === 'PROCESSING_ASR') go();
  }
  assert.deepEqual([seen[0], seen.at(-1), seen.includes('PROCESSING_ASR')], ['PENDING', 'COMPLETE', true]);
});

test('tasks are listed newest first, by status and by page', async (context) => {
  const under = await start(context);
  const ids: string[] = [];
  for (let i = 0; i < 5; i += 1) ids.push(await under.submit());
  await fetch(`${under.server.url}/v1/status/${ids[0]}`, { method: 'DELETE' });
  const list = async (query: string) => {
    const response = await fetch(`${under.server.url}/v1/status${query}`);
    return (await response.json()) as { tasks: StatusReport[]; next_cursor: string | null };
  };
  const first = await list('?limit=3');
  assert.deepEqual(
    first.tasks.map((task) => task.task_id),
    ids.slice(2).reverse(),
  );
  const second = await list(`?limit=3&cursor=${encodeURIComponent(first.next_cursor!)}`);
  assert.deepEqual(
    [second.tasks.map((task) => task.task_id), second.next_cursor],
    [ids.slice(0, 2).reverse(), null],
  );
  const cancelled = await list('?status=CANCELLED');
  assert.deepEqual(
    cancelled.tasks.map((task) => task.task_id),
    [ids[0]],
  );
  for (const query of ['?limit=0', '?limit=x', '?status=DONE', '?colour=red'])
    assert.equal((await fetch(`${under.server.url}/v1/status${query}`)).status, 400, query);
});

test('templates are listed with where their schemas are, and those are served', async (context) => {
  const { server } = await start(context);
  const response = await fetch(`${server.url}/v1/templates`);
  const { templates } = (await response.json()) as {
    templates: { template_id: string; name: string; schema_url: string }[];
  };
  assert.deepEqual(
    templates.map(({ template_id }) => template_id),
    ['interview_v1', 'lecture_v1', 'medical_dictation_v1', 'meeting_notes_v1', 'podcast_v1', 'sales_call_v1'],
  );
  const notes = templates.find(({ template_id }) => template_id === 'meeting_notes_v1')!;
  assert.equal(notes.name, 'Meeting notes');
  const schema = (await (await fetch(server.url + notes.schema_url)).json()) as {
    title: string;
    type: string;
  };
  assert.deepEqual([schema.title, schema.type], ['Meeting notes', 'object']);
  assert.equal((await fetch(`${server.url}/v1/templates/..%2Fx/schema`)).status, 404);
  assert.equal((await fetch(`${server.url}/v1/templates/poem_v1/schema`)).status, 404);
});

test('health is 503 without a worker and 200 with one, and tells the depth of the queue', async (context) => {
  const under = await start(context);
  await under.submit();
  const health = async () => {
    const response = await fetch(`${under.server.url}/health`);
    return [response.status, (await response.json()) as Record<string, unknown>] as const;
  };
  const [status, body] = await health();
  assert.deepEqual(
    [status, body['status'], body['queue_connected'], body['queue_depth'], body['worker_active']],
    [503, 'unhealthy', true, 1, false],
  );
  under.startWorker(async () => ({}));
  await eventually(async () => (await health())[0] === 200, 'healthy');
});
