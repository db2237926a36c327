import assert from 'node:assert/strict';
import test from 'node:test';
import { scriptedLanguage } from './scripted-language.ts';
import { form, startServer } from './server-under-test.ts';

test('what was answered is counted once, for speech and language, in the form of Prometheus', async (t) => {
  const { url } = await startServer(t, { language: scriptedLanguage() });
  await transcribe(url);
  await chat(url);
  await chat(url, { temperature: 9 });
  await fetch(`${url}/nothing/at/all`);
  const response = await fetch(`${url}/metrics`);
  assert.match(response.headers.get('content-type')!, /^text\/plain; version=0\.0\.4/);
  const text = await response.text();
  for (const line of [
    'percept_http_requests_total{method="POST",route="/v1/audio/transcriptions",status="200"} 1',
    'percept_http_requests_total{method="POST",route="/v1/chat/completions",status="200"} 1',
    'percept_http_requests_total{method="POST",route="/v1/chat/completions",status="400"} 1',
    'percept_http_requests_total{method="GET",route="none",status="404"} 1',
    'percept_http_request_duration_seconds_count{route="/v1/chat/completions"} 2',
    'percept_errors_total{code="invalid_request"} 1',
    'percept_errors_total{code="not_found"} 1',
    'percept_audio_seconds_total{kind="recording"} 3.25',
    'percept_transcription_real_time_factor_count{model="whisper-base-int8"} 1',
    'percept_prompt_tokens_total{model="smollm2-135m-instruct"} 12',
    'percept_cached_prompt_tokens_total{model="smollm2-135m-instruct"} 5',
    'percept_completion_tokens_total{model="smollm2-135m-instruct"} 4',
    'percept_generation_tokens_per_second_bucket{le="10",model="smollm2-135m-instruct"} 1',
    'percept_first_token_seconds_sum{model="smollm2-135m-instruct"} 0.5',
    'percept_queue_depth 0',
    'percept_queue_limit 32',
    'percept_model_memory_bytes{model="whisper-base-int8"} 1',
    'percept_model_load_seconds{model="whisper-base-int8"} 0.5',
    'percept_build_info{version="1.2.3"} 1',
  ])
    assert.ok(text.split('\n').includes(line), `${line}\n${text}`);
  assert.match(text, /^process_resident_memory_bytes \d{7,}$/m);
  for (const [, name] of text.matchAll(/^# TYPE (\w+) counter$/gm)) assert.match(name!, /_total$/);
});

test('who asks for JSON gets the means since the start, and null where nothing was measured', async (t) => {
  const { url } = await startServer(t, { language: scriptedLanguage() });
  const before = await json(url);
  assert.deepEqual(
    [before['response_time'], before['tokens_per_second'], before['real_time_factor']],
    [null, null, null],
  );
  await chat(url);
  await transcribe(url);
  await chat(url, { temperature: 9 });
  const { memory_usage, uptime_seconds, request_time, tokens_per_second, real_time_factor, ...rest } =
    await json(url);
  assert.ok(Number(memory_usage) > 1e7 && Number(uptime_seconds) > 0 && Number(request_time) > 0);
  assert.ok(Math.abs(Number(tokens_per_second) - 10) < 1e-9);
  assert.ok(Math.abs(Number(real_time_factor) - 0.1 / 3.25) < 1e-9);
  assert.deepEqual(rest, {
    response_time: 0.8,
    model_load_time: 0.5,
    first_token_time: 0.5,
    audio_seconds: 3.25,
    prompt_tokens: 12,
    cached_tokens: 5,
    completion_tokens: 4,
    images: 0,
    vision_time: null,
    text_embedding_hit_rate: null,
    requests: 4,
    errors: { invalid_request: 1 },
    queue_depth: 0,
    queue_limit: 32,
    tasks_waiting: null,
    tasks_running: null,
    task_worker_active: null,
    models: [{ name: 'whisper-base-int8', state: 'ready', memory: 1, load_time: 0.5 }],
  });
});

test('metrics want a key like any other route', async (t) => {
  const { url } = await startServer(t, { options: { apiKeys: ['alpha'] } });
  assert.equal((await fetch(`${url}/metrics`)).status, 401);
  assert.equal((await fetch(`${url}/metrics`, { headers: { 'x-api-key': 'alpha' } })).status, 200);
});

test('two servers in one process count apart', async (t) => {
  const first = await startServer(t);
  const second = await startServer(t);
  await transcribe(first.url);
  assert.equal((await json(first.url))['audio_seconds'], 3.25);
  assert.equal((await json(second.url))['audio_seconds'], 0);
});

test('a client that has gone is counted with status 499', async (t) => {
  const { url } = await startServer(t, {
    language: scriptedLanguage(
      (_request, { signal }) =>
        new Promise((_resolve, reject) => {
          leaving.abort();
          signal.addEventListener('abort', () => reject(signal.reason));
        }),
    ),
  });
  const leaving = new AbortController();
  await assert.rejects(chat(url, {}, leaving.signal));
  let text = '';
  while (!text.includes('status="499"')) text = await (await fetch(`${url}/metrics`)).text();
  assert.match(text, /route="\/v1\/chat\/completions",status="499"\} 1/);
});

async function json(url: string): Promise<Record<string, unknown>> {
  const response = await fetch(`${url}/metrics`, { headers: { accept: 'application/json' } });
  return (await response.json()) as Record<string, unknown>;
}

async function transcribe(url: string): Promise<void> {
  const body = form({ model: 'whisper-1' });
  await (await fetch(`${url}/v1/audio/transcriptions`, { method: 'POST', body })).text();
}

async function chat(url: string, fields: object = {}, signal?: AbortSignal): Promise<void> {
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ messages: [{ role: 'user', content: 'Hi' }], ...fields }),
    signal: signal ?? null,
  });
  await response.text();
}
