import assert from 'node:assert/strict';
import test from 'node:test';
import { AppError } from '../../src/base/errors.ts';
import type { GenerateContext } from '../../src/language/service.ts';
import { createGate } from '../support/gate.ts';
import { CALLING, GENERATION, scriptedLanguage, WEATHER_CALL } from './scripted-language.ts';
import { type ErrorBody, startServer } from './server-under-test.ts';

const ROUTE = '/v1/chat/completions';
const MESSAGES = [{ role: 'user', content: 'Hi' }];
const WEATHER = {
  type: 'function',
  function: { name: 'get_weather', description: 'Now', parameters: { type: 'object' }, strict: true },
};

function post(url: string, body: object, signal?: AbortSignal): Promise<Response> {
  return fetch(url + ROUTE, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal: signal ?? null,
  });
}

test('an answer is a chat.completion with usage, fingerprint and the versions block', async (t) => {
  const language = scriptedLanguage();
  const { url } = await startServer(t, { language });
  const response = await post(url, { model: 'smollm2-135m-instruct', messages: MESSAGES });
  assert.equal(response.status, 200);
  const { id, created, system_fingerprint, percept, ...rest } = (await response.json()) as Record<
    string,
    unknown
  >;
  assert.match(String(id), /^chatcmpl-[0-9a-f]{32}$/);
  assert.ok(Math.abs(Number(created) - Date.now() / 1000) < 60);
  assert.match(String(system_fingerprint), /^fp_[0-9a-f]{12}$/);
  assert.deepEqual(rest, {
    object: 'chat.completion',
    model: 'smollm2-135m-instruct',
    choices: [
      {
        index: 0,
        message: { role: 'assistant', content: 'Hello there.', refusal: null },
        logprobs: null,
        finish_reason: 'stop',
      },
    ],
    usage: {
      prompt_tokens: 12,
      completion_tokens: 4,
      total_tokens: 16,
      prompt_tokens_details: { cached_tokens: 5 },
    },
  });
  const { versions, timings } = percept as { versions: Record<string, unknown>; timings: object };
  assert.deepEqual(timings, { until_first_token: 0.5, generating: 0.3, total: 0.8 });
  assert.equal(versions['seed'], 7);
  assert.equal(versions['template_hash'], null);
  assert.deepEqual(versions['settings'], {
    temperature: 0.7,
    top_p: 1,
    top_k: 0,
    min_p: 0,
    repeat_penalty: 1,
    frequency_penalty: 0,
    presence_penalty: 0,
    max_tokens: 64,
  });
  assert.deepEqual(language.turns, { taken: 1, given: 1 });
});

test('the fingerprint is that of the backend: another seed has the same, other weights another', async (t) => {
  const seeds = [1, 2, 3];
  const { url } = await startServer(t, {
    language: scriptedLanguage(() => {
      const seed = seeds.shift()!;
      const checkpointHash = seed === 3 ? 'other' : 'abc';
      return { ...GENERATION, versions: { ...GENERATION.versions, seed, checkpointHash } };
    }),
  });
  const fingerprint = async () =>
    ((await (await post(url, { messages: MESSAGES })).json()) as { system_fingerprint: string })
      .system_fingerprint;
  const [first, second, third] = [await fingerprint(), await fingerprint(), await fingerprint()];
  assert.equal(first, second);
  assert.notEqual(second, third);
});

test('every parameter reaches the model in its own terms', async (t) => {
  const language = scriptedLanguage();
  const { url } = await startServer(t, { language });
  const response = await post(url, {
    model: 'm',
    messages: [
      { role: 'developer', content: 'Be brief.' },
      {
        role: 'user',
        content: [
          { type: 'text', text: 'a' },
          { type: 'text', text: 'b', cache_control: {} },
        ],
        name: 'x',
      },
      {
        role: 'assistant',
        content: null,
        refusal: null,
        annotations: [],
        audio: null,
        function_call: null,
        tool_calls: [
          { id: 'call_0', type: 'function', function: { name: 'get_weather', arguments: '{"city":"Hue"}' } },
        ],
      },
      { role: 'tool', tool_call_id: 'call_0', content: '30 degrees' },
    ],
    tools: [WEATHER, { type: 'function', function: { name: 'now' } }],
    tool_choice: { type: 'function', function: { name: 'get_weather' } },
    parallel_tool_calls: false,
    response_format: {
      type: 'json_schema',
      json_schema: { name: 'a', strict: true, schema: { type: 'object' } },
    },
    stop: ['\n', 'END'],
    seed: -3,
    max_completion_tokens: 50,
    temperature: 0.5,
    top_p: 0.9,
    frequency_penalty: 1,
    presence_penalty: -1,
    top_k: 40,
    min_p: 0.05,
    repeat_penalty: 1.1,
    thinking: true,
    chat_template_kwargs: { enable_thinking: true },
    keep_alive: '5m',
    n: 1,
    logprobs: false,
    logit_bias: {},
    modalities: ['text'],
    user: 'u',
    metadata: { a: 'b' },
    store: true,
    service_tier: 'auto',
  });
  assert.equal(response.status, 200, await response.text());
  assert.deepEqual(language.asked, [
    {
      model: 'm',
      messages: [
        { role: 'system', content: 'Be brief.' },
        { role: 'user', content: 'a\nb' },
        {
          role: 'assistant',
          content: '',
          toolCalls: [{ id: 'call_0', name: 'get_weather', arguments: { city: 'Hue' } }],
        },
        { role: 'tool', content: '30 degrees', toolCallId: 'call_0' },
      ],
      tools: [
        { name: 'get_weather', description: 'Now', parameters: { type: 'object' } },
        {
          name: 'now',
          description: undefined,
          parameters: { type: 'object', properties: {}, additionalProperties: false },
        },
      ],
      toolChoice: { name: 'get_weather' },
      parallelToolCalls: false,
      output: { kind: 'schema', schema: { type: 'object' } },
      settings: {
        temperature: 0.5,
        topP: 0.9,
        topK: 40,
        minP: 0.05,
        repeatPenalty: 1.1,
        frequencyPenalty: 1,
        presencePenalty: -1,
        maxTokens: 50,
      },
      stop: ['\n', 'END'],
      seed: -3,
      thinking: true,
      keepAliveSeconds: 300,
    },
  ]);
});

test('what is left out, or null, is left to the service', async (t) => {
  const language = scriptedLanguage();
  const { url } = await startServer(t, { language });
  const nothing = {
    model: null,
    tools: null,
    stop: null,
    seed: null,
    max_tokens: null,
    stream: null,
    n: null,
  };
  for (const body of [{ messages: MESSAGES }, { messages: MESSAGES, ...nothing }])
    assert.equal((await post(url, body)).status, 200);
  for (const request of language.asked) {
    const { messages, settings, ...rest } = request;
    assert.deepEqual(messages, MESSAGES);
    assert.ok(Object.values({ ...settings, ...rest }).every((value) => value === undefined));
  }
});

test('tool calls are answered with arguments as JSON in a string', async (t) => {
  const { url } = await startServer(t, { language: scriptedLanguage(() => CALLING) });
  const { choices } = (await (await post(url, { messages: MESSAGES, tools: [WEATHER] })).json()) as {
    choices: { message: object; finish_reason: string }[];
  };
  assert.equal(choices[0]!.finish_reason, 'tool_calls');
  assert.deepEqual(choices[0]!.message, {
    role: 'assistant',
    content: null,
    refusal: null,
    tool_calls: [
      { id: 'call_1', type: 'function', function: { name: 'get_weather', arguments: '{"city":"Hanoi"}' } },
    ],
  });
});

/** Data of each event, `[DONE]` as it is. */
async function chunksOf(response: Response): Promise<unknown[]> {
  const text = (await response.text()).trimEnd();
  return text.split('\n\n').map((line) => {
    const data = /^data: (.*)$/.exec(line)![1]!;
    return data === '[DONE]' ? data : JSON.parse(data);
  });
}

interface Chunk {
  readonly id: string;
  readonly object: string;
  readonly choices: { readonly delta: object; readonly finish_reason: string | null }[];
  readonly usage?: object | null;
  readonly percept?: object;
}

test('a stream is the role, the text in pieces, the reason of its end, and [DONE]', async (t) => {
  const language = scriptedLanguage();
  const { url } = await startServer(t, { language });
  const response = await post(url, { messages: MESSAGES, stream: true });
  assert.match(response.headers.get('content-type')!, /^text\/event-stream/);
  const all = await chunksOf(response);
  assert.equal(all.pop(), '[DONE]');
  const chunks = all as Chunk[];
  assert.deepEqual(
    chunks.map(({ choices }) => [choices[0]!.delta, choices[0]!.finish_reason]),
    [
      [{ role: 'assistant', content: '', refusal: null }, null],
      [{ content: 'Hello' }, null],
      [{ content: ' there' }, null],
      [{ content: '.' }, null],
      [{}, 'stop'],
    ],
  );
  assert.equal(new Set(chunks.map(({ id }) => id)).size, 1);
  assert.ok(chunks.every(({ object, usage }) => object === 'chat.completion.chunk' && usage === undefined));
  assert.ok(chunks.at(-1)!.percept);
  assert.deepEqual(language.turns, { taken: 1, given: 1 });
});

test('with include_usage every chunk has a usage of null, and a last one without choices has it', async (t) => {
  const { url } = await startServer(t, { language: scriptedLanguage() });
  const all = await chunksOf(
    await post(url, { messages: MESSAGES, stream: true, stream_options: { include_usage: true } }),
  );
  const chunks = all.slice(0, -1) as Chunk[];
  assert.ok(chunks.slice(0, -1).every(({ usage }) => usage === null));
  assert.deepEqual(chunks.at(-1)!.choices, []);
  assert.deepEqual(chunks.at(-1)!.usage, {
    prompt_tokens: 12,
    completion_tokens: 4,
    total_tokens: 16,
    prompt_tokens_details: { cached_tokens: 5 },
  });
});

test('calls in a stream are numbered', async (t) => {
  const second = { ...WEATHER_CALL, id: 'call_2' };
  const { url } = await startServer(t, {
    language: scriptedLanguage((_request, { onEvent }) => {
      for (const call of [WEATHER_CALL, second]) onEvent!({ type: 'toolCall', call });
      return { ...CALLING, toolCalls: [WEATHER_CALL, second] };
    }),
  });
  const all = await chunksOf(await post(url, { messages: MESSAGES, tools: [WEATHER], stream: true }));
  const deltas = (all.slice(0, -1) as Chunk[]).map(({ choices }) => choices[0]!.delta);
  const fields = { name: 'get_weather', arguments: '{"city":"Hanoi"}' };
  assert.deepEqual(deltas, [
    { role: 'assistant', content: '', refusal: null },
    { tool_calls: [{ index: 0, id: 'call_1', type: 'function', function: fields }] },
    { tool_calls: [{ index: 1, id: 'call_2', type: 'function', function: fields }] },
    {},
  ]);
});

test('what fails before the first token of a stream is a plain error, later it is an event', async (t) => {
  const language = scriptedLanguage((_request, { onEvent }) => {
    onEvent!({ type: 'text', text: 'Hel' });
    throw new AppError('model_crashed', 'The model process ended.');
  });
  const { url } = await startServer(t, { language });
  assert.equal((await post(url, { messages: MESSAGES, model: 'nonsense', stream: true })).status, 404);
  const response = await post(url, { messages: MESSAGES, stream: true });
  assert.equal(response.status, 200);
  const chunks = await chunksOf(response);
  assert.deepEqual(chunks.at(-1), {
    error: { message: 'The model process ended.', type: 'server_error', param: null, code: 'model_crashed' },
  });
  assert.deepEqual(language.turns, { taken: 2, given: 2 });
});

test('an unexpected failure in a stream says nothing of the inside', async (t) => {
  const { url, log } = await startServer(t, {
    language: scriptedLanguage((_request, { onEvent }) => {
      onEvent!({ type: 'text', text: 'Hel' });
      throw new Error('secret of the inside');
    }),
  });
  const body = await (await post(url, { messages: MESSAGES, stream: true })).text();
  assert.match(body, /"code":"internal"/);
  assert.doesNotMatch(body, /secret/);
  assert.match(log.join(''), /secret of the inside/);
});

for (const stream of [true, false]) {
  test(`a client that leaves stops the work, ${stream ? 'in a stream' : 'before the answer'}`, async (t) => {
    const begun = createGate();
    const stopped = createGate();
    const work = ({ signal, onEvent }: GenerateContext) =>
      new Promise<never>((_resolve, reject) => {
        onEvent?.({ type: 'text', text: 'Hel' });
        begun.open();
        signal.addEventListener('abort', () => {
          stopped.open();
          reject(signal.reason);
        });
      });
    const language = scriptedLanguage((_request, context) => work(context));
    const { url } = await startServer(t, { language });
    const leaving = new AbortController();
    const response = post(url, { messages: MESSAGES, stream }, leaving.signal);
    response.catch(() => {});
    await begun.opened;
    leaving.abort();
    await stopped.opened;
    while (language.turns.given < 1) await new Promise(setImmediate);
    assert.equal((await fetch(`${url}/health`)).status, 200);
  });
}

test('a full queue is answered 429 with Retry-After before the body is looked at', async (t) => {
  const language = scriptedLanguage(undefined, { isFull: true });
  const { url } = await startServer(t, { language });
  const response = await post(url, { nonsense: true });
  assert.equal(response.status, 429);
  assert.equal(response.headers.get('retry-after'), '2');
  assert.equal(((await response.json()) as ErrorBody).error.code, 'queue_full');
});

test('neither prompt nor answer is ever logged', async (t) => {
  const { url, log } = await startServer(t, { language: scriptedLanguage() });
  await post(url, { messages: [{ role: 'user', content: 'private words' }] });
  await post(url, { messages: [{ role: 'user', content: 'private words' }], temperature: 9 });
  assert.ok(log.length > 1);
  assert.ok(log.every((line) => !/private|Hello/.test(line)));
});

test('without a language service there are no routes of one', async (t) => {
  const { url } = await startServer(t);
  for (const path of [ROUTE, '/structured-generate', '/function-call']) {
    const response = await fetch(url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{}',
    });
    assert.equal(response.status, 404, path);
  }
});
