import assert from 'node:assert/strict';
import test from 'node:test';
import { CALLING, GENERATION, scriptedLanguage } from './scripted-language.ts';
import { type ErrorBody, startServer } from './server-under-test.ts';

const CHAT = '/v1/chat/completions';
const STRUCTURED = '/structured-generate';
const CALL = '/function-call';
const MESSAGES = [{ role: 'user', content: 'Hi' }];
const TOOL = { type: 'function', function: { name: 'now' } };

interface Refused {
  readonly name: string;
  readonly path?: string;
  /** Text is sent as it is. */
  readonly body: object | string | Uint8Array;
  readonly type?: string;
  readonly status?: number;
  readonly code?: string;
  readonly param: string | null;
}

const chat = (fields: object) => ({ messages: MESSAGES, ...fields });
const say = (...messages: unknown[]) => ({ messages });
const unsupported = { code: 'unsupported_parameter' };
const nested = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`;
const calls = (text: string) => [{ id: 'c', type: 'function', function: { name: 'f', arguments: text } }];

const REFUSED: readonly Refused[] = [
  // bytes
  { name: 'an empty body', body: '', param: null },
  { name: 'half a body', body: '{"messages": [', param: null },
  { name: 'a body with something behind it', body: '{} {}', param: null },
  { name: 'a number that JSON does not have', body: '{"seed": NaN}', param: null },
  { name: 'an unclosed string', body: '{"messages', param: null },
  { name: 'bytes that are no UTF-8', body: Uint8Array.of(0x22, 0xff, 0xfe, 0x22), param: null },
  { name: 'a hundred thousand open arrays', body: '['.repeat(100_000), param: null },
  { name: 'arrays in arrays, 100,000 deep', body: nested(100_000), param: null },
  {
    name: 'a schema of depth 600',
    path: STRUCTURED,
    body: `{"prompt":"a","schema":${'{"not":'.repeat(600)}{}${'}'.repeat(600)}}`,
    param: null,
  },
  { name: 'two hundred thousand values', body: `{"messages":[${'0,'.repeat(100_000)}0]}`, param: null },
  { name: 'a name given twice', body: '{"seed":1,"seed":2}', param: 'seed' },
  { name: 'a name given twice, once escaped', body: '{"seed":1,"s\\u0065ed":2}', param: 'seed' },
  {
    name: 'a body over the limit',
    body: `{"messages":"${'x'.repeat(300_000)}"}`,
    status: 413,
    code: 'file_too_large',
    param: null,
  },
  {
    name: 'JSON that says it is text',
    body: chat({}),
    type: 'text/plain',
    status: 415,
    code: 'unsupported_media_type',
    param: null,
  },
  {
    name: 'a form',
    body: 'a=b',
    type: 'application/x-www-form-urlencoded',
    status: 415,
    code: 'unsupported_media_type',
    param: null,
  },
  // shapes
  ...['null', '1', '"text"', '[]', 'true'].map((body) => ({ name: `a body of ${body}`, body, param: null })),
  { name: 'no messages', body: {}, param: 'messages' },
  { name: 'messages of another kind', body: { messages: 'Hi' }, param: 'messages' },
  { name: 'an empty conversation', body: say(), param: 'messages' },
  { name: 'a message that is null', body: say(null), param: 'messages[0]' },
  { name: 'an unknown role', body: say({ role: 'god', content: '' }), param: 'messages[0].role' },
  {
    name: 'a function message',
    body: say({ role: 'function', name: 'f', content: '' }),
    param: 'messages[0].role',
  },
  { name: 'a message without content', body: say({ role: 'user' }), param: 'messages[0].content' },
  { name: 'an assistant who says nothing', body: say({ role: 'assistant' }), param: 'messages[0].content' },
  { name: 'a text that is a number', body: say({ role: 'user', content: 5 }), param: 'messages[0].content' },
  {
    name: 'a part without text',
    body: say({ role: 'user', content: [{ type: 'text' }] }),
    param: 'messages[0].content[0].text',
  },
  {
    name: 'an image',
    body: say({ role: 'user', content: [{ type: 'image_url', image_url: { url: 'data:' } }] }),
    ...unsupported,
    param: 'messages[0].content[0].type',
  },
  {
    name: 'sound',
    body: say({ role: 'user', content: [{ type: 'text', text: 'a' }, { type: 'input_audio' }] }),
    ...unsupported,
    param: 'messages[0].content[1].type',
  },
  {
    name: 'a call of the old kind in an answer',
    body: say({ role: 'assistant', content: '', function_call: { name: 'f', arguments: '{}' } }),
    ...unsupported,
    param: 'messages[0].function_call',
  },
  {
    name: 'a result without its call',
    body: say({ role: 'tool', content: '1' }),
    param: 'messages[0].tool_call_id',
  },
  ...['[1]', '{"a":', 'null', nested(2000)].map((text) => ({
    name: `a call with the arguments ${text.slice(0, 10)}`,
    body: say({ role: 'assistant', tool_calls: calls(text) }),
    param: text.length > 100 ? null : 'messages[0].tool_calls[0].function.arguments',
  })),
  // settings
  { name: 'an unknown field', body: chat({ temprature: 1 }), param: 'temprature' },
  { name: 'a very long unknown field', body: chat({ ['x'.repeat(100_000)]: 1 }), param: 'x'.repeat(64) },
  {
    name: 'a field of the prototype',
    body: '{"messages":[{"role":"user","content":"a"}],"__proto__":{"a":1}}',
    param: '__proto__',
  },
  { name: 'a field named constructor', body: chat({ constructor: 1 }), param: 'constructor' },
  { name: 'a temperature that is a text', body: chat({ temperature: '1' }), param: 'temperature' },
  { name: 'a temperature above two', body: chat({ temperature: 2.1 }), param: 'temperature' },
  { name: 'a negative temperature', body: chat({ temperature: -0.1 }), param: 'temperature' },
  { name: 'a number without end', body: '{"messages":[],"temperature":1e999}', param: 'messages' },
  { name: 'top_p above one', body: chat({ top_p: 1.5 }), param: 'top_p' },
  { name: 'a penalty of three', body: chat({ presence_penalty: 3 }), param: 'presence_penalty' },
  { name: 'no tokens', body: chat({ max_tokens: 0 }), param: 'max_tokens' },
  { name: 'half a token', body: chat({ max_tokens: 1.5 }), param: 'max_tokens' },
  { name: 'a billion tokens', body: chat({ max_completion_tokens: 1e9 }), param: 'max_completion_tokens' },
  {
    name: 'two limits that differ',
    body: chat({ max_tokens: 1, max_completion_tokens: 2 }),
    param: 'max_completion_tokens',
  },
  { name: 'a seed that no number holds', body: chat({ seed: 1e300 }), param: 'seed' },
  { name: 'an empty stop', body: chat({ stop: '' }), param: 'stop' },
  { name: 'seventeen stops', body: chat({ stop: Array(17).fill('a') }), param: 'stop' },
  { name: 'a stop that is a number', body: chat({ stop: ['a', 1] }), param: 'stop[1]' },
  { name: 'an empty model', body: chat({ model: '' }), param: 'model' },
  {
    name: 'an unknown model',
    body: chat({ model: 'nonsense' }),
    status: 404,
    code: 'model_not_found',
    param: 'model',
  },
  { name: 'a stream that is a text', body: chat({ stream: 'true' }), param: 'stream' },
  { name: 'a keep_alive that is no time', body: chat({ keep_alive: 'soon' }), param: 'keep_alive' },
  {
    name: 'a contradiction about thinking',
    body: chat({ thinking: false, reasoning_effort: 'high' }),
    param: 'reasoning_effort',
  },
  {
    name: 'another argument of the template',
    body: chat({ chat_template_kwargs: { a: 1 } }),
    param: 'chat_template_kwargs.a',
  },
  // what would change the answer and is not there
  ...Object.entries({
    n: 2,
    logprobs: true,
    top_logprobs: 5,
    logit_bias: { 50256: -100 },
    modalities: ['text', 'audio'],
    audio: { voice: 'alloy', format: 'wav' },
    functions: [{ name: 'f' }],
    function_call: 'auto',
    web_search_options: {},
    verbosity: 'low',
    moderation: {},
  }).map(([param, value]) => ({ name: `${param}`, body: chat({ [param]: value }), ...unsupported, param })),
  // formats and tools
  {
    name: 'an unknown format',
    body: chat({ response_format: { type: 'xml' } }),
    param: 'response_format.type',
  },
  { name: 'a format that is a text', body: chat({ response_format: 'json' }), param: 'response_format' },
  {
    name: 'json_schema without a schema',
    body: chat({ response_format: { type: 'json_schema', json_schema: { name: 'a' } } }),
    param: 'response_format.json_schema.schema',
  },
  {
    name: 'a schema that is a list',
    body: chat({ response_format: { type: 'json_schema', json_schema: { name: 'a', schema: [] } } }),
    param: 'response_format.json_schema.schema',
  },
  {
    name: 'a schema of JSON of any kind',
    body: chat({ response_format: { type: 'json_object', schema: {} } }),
    param: 'response_format.schema',
  },
  {
    name: 'a tool of another kind',
    body: chat({ tools: [{ type: 'custom', custom: {} }] }),
    param: 'tools[0].type',
  },
  {
    name: 'a tool without a name',
    body: chat({ tools: [{ type: 'function', function: {} }] }),
    param: 'tools[0].function.name',
  },
  {
    name: 'a tool named with a line break',
    body: chat({ tools: [{ type: 'function', function: { name: 'a\n' } }] }),
    param: 'tools[0].function.name',
  },
  { name: 'two tools of one name', body: chat({ tools: [TOOL, TOOL] }), param: 'tools[1].function.name' },
  { name: 'a choice without tools', body: chat({ tool_choice: 'required' }), param: 'tool_choice' },
  {
    name: 'a choice that is not there',
    body: chat({ tools: [TOOL], tool_choice: { type: 'function', function: { name: 'f' } } }),
    param: 'tool_choice',
  },
  { name: 'an unknown choice', body: chat({ tools: [TOOL], tool_choice: 'any' }), param: 'tool_choice' },
  // the other routes
  { name: 'no prompt', path: STRUCTURED, body: { schema: {} }, param: 'prompt' },
  { name: 'an empty prompt', path: STRUCTURED, body: { prompt: '', schema: {} }, param: 'prompt' },
  { name: 'no schema', path: STRUCTURED, body: { prompt: 'a' }, param: 'schema' },
  { name: 'a schema that is a text', path: STRUCTURED, body: { prompt: 'a', schema: '{}' }, param: 'schema' },
  {
    name: 'messages where a prompt belongs',
    path: STRUCTURED,
    body: { ...chat({}), prompt: 'a', schema: {} },
    param: 'messages',
  },
  { name: 'no tools', path: CALL, body: { prompt: 'a' }, param: 'tools' },
  { name: 'an empty list of tools', path: CALL, body: { prompt: 'a', tools: [] }, param: 'tools' },
  {
    name: 'a hundred and twenty-nine tools',
    path: CALL,
    body: { prompt: 'a', tools: Array(129).fill(TOOL) },
    param: 'tools',
  },
];

test('what cannot be asked is refused with its status, its code and the field, and gives its turn back', async (t) => {
  const language = scriptedLanguage();
  const { url } = await startServer(t, { language });
  for (const {
    name,
    path = CHAT,
    body,
    type = 'application/json',
    status = 400,
    code = 'invalid_request',
    param,
  } of REFUSED) {
    const raw = typeof body === 'string' || body instanceof Uint8Array;
    const response = await fetch(url + path, {
      method: 'POST',
      headers: { 'content-type': type },
      body: raw ? (body as Uint8Array<ArrayBuffer>) : JSON.stringify(body),
    });
    const { error } = (await response.json()) as ErrorBody;
    assert.deepEqual(
      [response.status, error.code, error.param],
      [status, code, param],
      `${name}: ${error.message}`,
    );
    assert.ok(error.message.length < 400, name);
  }
  assert.deepEqual(
    language.asked.map(({ model }) => model),
    ['nonsense'],
    'nothing else reached the model',
  );
  assert.equal(language.turns.taken, language.turns.given);
  assert.equal((await fetch(`${url}/health`)).status, 200);
});

test('a misspelt field is answered with the one that was meant', async (t) => {
  const { url } = await startServer(t, { language: scriptedLanguage() });
  const response = await post(url, CHAT, chat({ temprature: 1 }));
  assert.match(((await response.json()) as ErrorBody).error.message, /Did you mean temperature/);
});

test('a body without a type, and none at all, is answered 415', async (t) => {
  const { url } = await startServer(t, { language: scriptedLanguage() });
  for (const path of [CHAT, STRUCTURED, CALL])
    assert.equal((await fetch(url + path, { method: 'POST' })).status, 415, path);
});

test('names of the prototype inside a schema reach the service as they are', async (t) => {
  const language = scriptedLanguage(() => ({ ...GENERATION, value: {} }));
  const { url } = await startServer(t, { language });
  const schema = '{"properties":{"__proto__":{"type":"string"},"constructor":true}}';
  const body = `{"prompt":"a","schema":${schema}}`;
  const headers = { 'content-type': 'application/json; charset=utf-8' };
  assert.equal((await fetch(url + STRUCTURED, { method: 'POST', headers, body })).status, 200);
  const { output } = language.asked[0]!;
  assert.equal(JSON.stringify(output?.kind === 'schema' && output.schema), schema);
});

test('a structured answer is the value with usage, time, speed and versions', async (t) => {
  const value = { name: 'Ada', age: 36 };
  const language = scriptedLanguage(() => ({ ...GENERATION, text: JSON.stringify(value), value }));
  const { url } = await startServer(t, { language });
  const response = await post(url, STRUCTURED, {
    prompt: 'Who?',
    system: 'Be brief.',
    schema: { type: 'object' },
    seed: 1,
  });
  const { versions, usage, tokens_per_second, ...rest } = (await response.json()) as Record<string, unknown>;
  assert.deepEqual(rest, { value, model: 'smollm2-135m-instruct', response_time: 0.8 });
  assert.equal((usage as { total_tokens: number }).total_tokens, 16);
  assert.ok(Math.abs(Number(tokens_per_second) - 10) < 1e-9, 'three tokens after the first in 0.3 s');
  assert.equal((versions as { engine: string }).engine, 'embedded');
  const { messages, settings, output, seed } = language.asked[0]!;
  assert.deepEqual(messages, [
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: 'Who?' },
  ]);
  assert.deepEqual(settings, { temperature: undefined, maxTokens: undefined });
  assert.deepEqual([output, seed], [{ kind: 'schema', schema: { type: 'object' } }, 1]);
});

for (const [path, body] of [
  [STRUCTURED, { prompt: 'a', schema: true }],
  [CALL, { prompt: 'a', tools: [TOOL] }],
] as const) {
  test(`an answer of ${path} that was cut is output_truncated, with the figures`, async (t) => {
    const language = scriptedLanguage(() => ({ ...GENERATION, finishReason: 'length' }));
    const { url } = await startServer(t, { language });
    const response = await post(url, path, body);
    assert.equal(response.status, 422);
    const { error } = (await response.json()) as ErrorBody;
    assert.deepEqual([error.code, error.param], ['output_truncated', 'max_tokens']);
    assert.match(error.message, /4 tokens.*64.*12/);
    assert.equal(language.turns.given, 1);
  });
}

test('calls are answered with their arguments as an object', async (t) => {
  const language = scriptedLanguage(() => CALLING);
  const { url } = await startServer(t, { language });
  const response = await post(url, CALL, {
    prompt: 'a',
    tools: [TOOL],
    tool_choice: 'required',
    temperature: 0,
  });
  const { tool_calls, content, model } = (await response.json()) as Record<string, unknown>;
  assert.deepEqual(tool_calls, [
    { id: 'call_1', type: 'function', function: { name: 'get_weather', arguments: { city: 'Hanoi' } } },
  ]);
  assert.deepEqual([content, model], [null, 'smollm2-135m-instruct']);
  assert.equal(language.asked[0]!.toolChoice, 'required');
  assert.equal(language.asked[0]!.settings!.temperature, 0);
});

test('text in place of calls is the content', async (t) => {
  const { url } = await startServer(t, { language: scriptedLanguage() });
  const answer = (await (await post(url, CALL, { prompt: 'a', tools: [TOOL] })).json()) as object;
  assert.deepEqual(
    { ...answer, versions: 0, usage: 0 },
    {
      tool_calls: [],
      content: 'Hello there.',
      model: 'smollm2-135m-instruct',
      usage: 0,
      response_time: 0.8,
      tokens_per_second: 3 / 0.3,
      versions: 0,
    },
  );
});

function post(url: string, path: string, body: object): Promise<Response> {
  const headers = { 'content-type': 'application/json' };
  return fetch(url + path, { method: 'POST', headers, body: JSON.stringify(body) });
}
