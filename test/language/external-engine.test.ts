import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { AppError } from '../../src/base/errors.ts';
import { type ExternalEngine, openExternalEngine } from '../../src/language/external-engine.ts';
import type { GenerateRequest } from '../../src/language/generation.ts';
import {
  answers,
  chunk,
  event,
  type LanguageServer,
  type Scene,
  startLanguageServer,
  streams,
} from '../support/language-server.ts';

const never = new AbortController().signal;
const REQUEST: GenerateRequest = { model: 'qwen3:4b', messages: [{ role: 'user', content: 'Hi' }] };

async function open(
  t: TestContext,
  ...scenes: readonly Scene[]
): Promise<{ engine: ExternalEngine; remote: LanguageServer }> {
  const remote = await startLanguageServer(t, ...scenes);
  const engine = openExternalEngine({ url: `${remote.url}/v1`, apiKey: null, timeoutSeconds: 5, retries: 0 });
  return { engine, remote };
}

const completion = (message: object, finish_reason: string | null = 'stop', usage?: object) =>
  answers(200, {
    object: 'chat.completion',
    model: 'qwen3:4b',
    choices: [{ index: 0, message, finish_reason }],
    usage,
  });

test('a whole answer is its text, its end, its usage and the server’s name of the model', async (t) => {
  const usage = {
    prompt_tokens: 9,
    completion_tokens: 3,
    total_tokens: 12,
    prompt_tokens_details: { cached_tokens: 4 },
  };
  const { engine } = await open(t, completion({ role: 'assistant', content: 'Hello.' }, 'stop', usage));
  assert.deepEqual(await engine.complete(REQUEST, { signal: never }), {
    text: 'Hello.',
    toolCalls: [],
    finishReason: 'stop',
    usage: { promptTokens: 9, completionTokens: 3, cachedTokens: 4 },
    model: 'qwen3:4b',
  });
});

test('a request is asked in OpenAI’s form, and what is not set is left to the server', async (t) => {
  const { engine, remote } = await open(t, completion({ content: '' }));
  await engine.complete(REQUEST, { signal: never });
  assert.deepEqual(remote.heard[0]!.body, { model: 'qwen3:4b', messages: [{ role: 'user', content: 'Hi' }] });
  const schema = { type: 'object', required: ['a'] };
  await engine.complete(
    {
      model: undefined,
      messages: [
        { role: 'system', content: 'Be brief.' },
        { role: 'assistant', content: '', toolCalls: [{ id: 'c1', name: 'f', arguments: { a: 1 } }] },
        { role: 'tool', content: '2', toolCallId: 'c1' },
      ],
      tools: [
        { name: 'f', description: 'does', parameters: schema },
        { name: 'g', parameters: true },
      ],
      toolChoice: { name: 'f' },
      parallelToolCalls: false,
      output: { kind: 'schema', schema },
      settings: {
        temperature: 0,
        topP: 0.9,
        topK: 5,
        minP: 0.1,
        repeatPenalty: 1.1,
        frequencyPenalty: 0.2,
        presencePenalty: 0.3,
        maxTokens: 7,
      },
      stop: ['x'],
      seed: 3,
      thinking: false,
      keepAliveSeconds: 5,
    },
    { signal: never },
  );
  assert.deepEqual(remote.heard[1]!.body, {
    messages: [
      { role: 'system', content: 'Be brief.' },
      {
        role: 'assistant',
        content: '',
        tool_calls: [{ id: 'c1', type: 'function', function: { name: 'f', arguments: '{"a":1}' } }],
      },
      { role: 'tool', content: '2', tool_call_id: 'c1' },
    ],
    tools: [
      { type: 'function', function: { name: 'f', description: 'does', parameters: schema } },
      { type: 'function', function: { name: 'g', parameters: { type: 'object' } } },
    ],
    tool_choice: { type: 'function', function: { name: 'f' } },
    parallel_tool_calls: false,
    response_format: { type: 'json_schema', json_schema: { name: 'answer', strict: true, schema } },
    temperature: 0,
    top_p: 0.9,
    top_k: 5,
    min_p: 0.1,
    repeat_penalty: 1.1,
    repetition_penalty: 1.1,
    frequency_penalty: 0.2,
    presence_penalty: 0.3,
    max_tokens: 7,
    stop: ['x'],
    seed: 3,
    chat_template_kwargs: { enable_thinking: false },
  });
  await engine.complete({ ...REQUEST, output: { kind: 'json' } }, { signal: never });
  assert.deepEqual(remote.heard[2]!.body['response_format'], { type: 'json_object' });
});

test('a stream gives its text as it comes, and the same answer at the end', async (t) => {
  const { engine, remote } = await open(
    t,
    streams(
      chunk({ role: 'assistant', content: '' }),
      chunk({ content: 'Hel' }),
      chunk({ reasoning_content: 'hm' }),
      chunk({ content: 'lo.' }),
      chunk({}, 'stop'),
      event({ choices: [], usage: { prompt_tokens: 9, completion_tokens: 3 } }),
      event('[DONE]'),
    ),
  );
  const pieces: string[] = [];
  const answer = await engine.complete(REQUEST, { signal: never, onText: (text) => pieces.push(text) });
  assert.deepEqual(pieces, ['Hel', 'lo.']);
  assert.deepEqual(answer, {
    text: 'Hello.',
    toolCalls: [],
    finishReason: 'stop',
    usage: { promptTokens: 9, completionTokens: 3, cachedTokens: 0 },
    model: 'qwen3:4b',
  });
  assert.deepEqual(remote.heard[0]!.body['stream_options'], { include_usage: true });
});

const STREAMED_CALLS: readonly (readonly [string, readonly string[]])[] = [
  [
    'in pieces, as vLLM and OpenAI send them',
    [
      chunk({
        role: 'assistant',
        content: null,
        tool_calls: [{ index: 0, id: 'a', type: 'function', function: { name: 'f', arguments: '' } }],
      }),
      chunk({ tool_calls: [{ index: 0, function: { arguments: '{"x"' } }] }),
      chunk({
        tool_calls: [{ index: 1, id: 'b', type: 'function', function: { name: 'g', arguments: '{}' } }],
      }),
      chunk({ tool_calls: [{ index: 0, function: { arguments: ':1}' } }] }),
      chunk({}, 'tool_calls'),
    ],
  ],
  [
    'with the name in every piece, as llama-cpp-python sends them',
    [
      chunk({ tool_calls: [{ index: 0, id: 'a', function: { name: 'f', arguments: '{"x"' } }] }),
      chunk({ tool_calls: [{ index: 0, id: 'a', function: { name: 'f', arguments: ':1}' } }] }),
      chunk({ tool_calls: [{ index: 1, id: 'b', function: { name: 'g', arguments: '{}' } }] }),
      chunk({}, 'tool_calls'),
    ],
  ],
  [
    'whole, as Ollama sends them',
    [
      chunk({
        content: '',
        tool_calls: [{ id: 'a', index: 0, type: 'function', function: { name: 'f', arguments: '{"x":1}' } }],
      }),
      chunk({
        content: '',
        tool_calls: [{ id: 'b', index: 1, type: 'function', function: { name: 'g', arguments: '{}' } }],
      }),
      chunk({ content: '' }, 'stop'),
    ],
  ],
  [
    'without numbers, and with arguments as an object',
    [
      chunk({
        tool_calls: [
          { id: 'a', function: { name: 'f', arguments: { x: 1 } } },
          { id: 'b', function: { name: 'g' } },
        ],
      }),
      chunk({ tool_calls: [{ function: { arguments: '{}' } }] }, 'tool_calls'),
    ],
  ],
];

for (const [name, pieces] of STREAMED_CALLS) {
  test(`calls come ${name}`, async (t) => {
    const { engine } = await open(t, streams(...pieces));
    const { toolCalls, finishReason } = await engine.complete(REQUEST, { signal: never, onText() {} });
    assert.equal(finishReason, 'tool_calls');
    assert.deepEqual(
      toolCalls.map((call) => ({ ...call, arguments: JSON.parse(call.arguments) })),
      [
        { id: 'a', name: 'f', arguments: { x: 1 } },
        { id: 'b', name: 'g', arguments: {} },
      ],
    );
  });
}

test('a call without an id gets one', async (t) => {
  const { engine } = await open(
    t,
    completion({ content: null, tool_calls: [{ function: { name: 'f', arguments: '{}' } }] }),
  );
  const { toolCalls } = await engine.complete(REQUEST, { signal: never });
  assert.match(toolCalls[0]!.id, /^call_[0-9a-f]{32}$/);
});

test('an answer that was cut says so', async (t) => {
  const { engine } = await open(t, completion({ content: '{"a' }, 'length'));
  assert.equal((await engine.complete(REQUEST, { signal: never })).finishReason, 'length');
});

const BROKEN: readonly (readonly [string, Scene, RegExp])[] = [
  ['a stream that ends early', streams(chunk({ content: 'Hel' })), /broke off/],
  ['an answer without choices', answers(200, { choices: [] }), /broke off/],
  ['an answer of another kind', answers(200, { text: 'Hello' }), /does not have: choices/],
  ['text that is a number', completion({ content: 5 }), /choices\.0\.message\.content/],
  ['a filter', completion({ content: '' }, 'content_filter'), /content_filter/],
];

for (const [name, scene, pattern] of BROKEN) {
  test(`${name} is upstream_failed`, async (t) => {
    const { engine } = await open(t, scene);
    const onText = name.includes('stream') ? () => {} : undefined;
    await assert.rejects(engine.complete(REQUEST, { signal: never, onText }), (error) => {
      assert.ok(error instanceof AppError && error.code === 'upstream_failed', String(error));
      assert.match(error.message, pattern);
      return true;
    });
  });
}

test('the models of the server are listed', async (t) => {
  const { engine, remote } = await open(
    t,
    answers(200, { object: 'list', data: [{ id: 'a' }, { id: 'b/c', extra: 1 }] }),
  );
  assert.deepEqual(await engine.models(never), ['a', 'b/c']);
  assert.deepEqual([remote.heard[0]!.method, remote.heard[0]!.url], ['GET', '/v1/models']);
});

test('without an address it is the configuration that is wrong', () => {
  const open = () => openExternalEngine({ url: null, apiKey: null, timeoutSeconds: 5, retries: 0 });
  assert.throws(
    open,
    (error) => error instanceof AppError && error.code === 'invalid_config' && error.param === 'language.url',
  );
});
