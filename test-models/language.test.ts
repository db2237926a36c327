/** A real, very small model behind the routes: what it says matters little, what form it has is certain. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import OpenAI from 'openai';
import { zodResponseFormat } from 'openai/helpers/zod';
import { z } from 'zod';
import { eventually } from '../test/support/processes.ts';
import { LANGUAGE_ENVIRONMENT, LANGUAGE_MODEL, missingLanguageModel } from './support/language-weights.ts';
import { REAL_SCHEMAS } from './support/real-schemas.ts';
import { serviceOfFile } from './support/service.ts';

const skip = await missingLanguageModel();
const service = serviceOfFile(skip, { env: LANGUAGE_ENVIRONMENT });
const model = LANGUAGE_MODEL;

const client = () => new OpenAI({ baseURL: `${service().url}/v1`, apiKey: 'none', maxRetries: 0 });

const TOOLS = [
  {
    type: 'function' as const,
    function: {
      name: 'get_weather',
      description: 'The weather of a city',
      parameters: {
        type: 'object',
        properties: {
          city: { type: 'string', maxLength: 20 },
          days: { type: 'integer', minimum: 1, maximum: 7 },
        },
        required: ['city'],
        additionalProperties: false,
      },
    },
  },
  {
    type: 'function' as const,
    function: {
      name: 'add',
      parameters: {
        type: 'object',
        properties: {
          a: { type: 'number', minimum: 0, maximum: 99 },
          b: { type: 'number', minimum: 0, maximum: 99 },
        },
        required: ['a', 'b'],
        additionalProperties: false,
      },
    },
  },
];

interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown> & {
    readonly error?: { readonly code: string; readonly message: string };
  };
}

async function post(path: string, body: unknown, signal?: AbortSignal): Promise<Answer> {
  const answer = await fetch(`${service().url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    ...(signal === undefined ? {} : { signal }),
  });
  return { status: answer.status, body: (await answer.json()) as Answer['body'] };
}

test('equal seeds give equal answers, at any temperature and in any company', { skip }, async () => {
  const ask = (seed: number) =>
    client().chat.completions.create({
      model,
      messages: [{ role: 'user', content: 'Tell me about the sea.' }],
      seed,
      temperature: 1,
      max_tokens: 24,
    });
  const [first] = (await ask(7)).choices;
  const again = await ask(7);
  assert.equal(again.choices[0]!.message.content, first!.message.content);
  assert.equal(again.choices[0]!.finish_reason, 'length');
  assert.equal(again.usage!.completion_tokens, 24);
  const others = await Promise.all([8, 9, 10].map(ask));
  const texts = new Set(
    [first!, ...others.map(({ choices }) => choices[0]!)].map(({ message }) => message.content),
  );
  assert.equal(texts.size, 4);
});

test('a stream joins to the answer, and stop strings end it', { skip }, async () => {
  const request = {
    model,
    messages: [{ role: 'user' as const, content: 'Count: one, two, three, four, five.' }],
    temperature: 0,
    max_tokens: 60,
  };
  const whole = (await client().chat.completions.create(request)).choices[0]!.message.content!;
  const pieces: string[] = [];
  for await (const chunk of await client().chat.completions.create({ ...request, stream: true }))
    pieces.push(chunk.choices[0]?.delta.content ?? '');
  assert.equal(pieces.join(''), whole);
  const stop = whole.slice(5, 9);
  const stopped = await client().chat.completions.create({ ...request, stop });
  assert.equal(stopped.choices[0]!.message.content, whole.slice(0, whole.indexOf(stop)));
  assert.equal(stopped.choices[0]!.finish_reason, 'stop');
});

test('a beginning that an earlier request had is not read again', { skip }, async () => {
  const messages = [
    { role: 'system' as const, content: 'You answer in one word. '.repeat(60) },
    { role: 'user' as const, content: 'Which animal barks?' },
  ];
  const ask = () => client().chat.completions.create({ model, messages, temperature: 0, max_tokens: 4 });
  await ask();
  const { usage } = await ask();
  assert.ok(usage!.prompt_tokens > 300, `${usage!.prompt_tokens} tokens`);
  assert.equal(usage!.prompt_tokens_details!.cached_tokens, usage!.prompt_tokens - 1);
});

test('the parse helper of the SDK gets what its schema says', { skip }, async () => {
  const Person = z.object({
    name: z.string().max(20),
    age: z.int().min(0).max(120),
    likes: z.array(z.string().max(12)).max(3),
  });
  const completion = await client().chat.completions.parse({
    model,
    messages: [{ role: 'user', content: 'Invent a person.' }],
    response_format: zodResponseFormat(Person, 'person'),
    temperature: 0,
    max_tokens: 200,
  });
  assert.ok(Person.safeParse(completion.choices[0]!.message.parsed).success);
});

for (const [choice, name] of [
  ['required', undefined],
  [{ type: 'function', function: { name: 'add' } }, 'add'],
] as const) {
  test(`every call is well-formed with tool_choice ${JSON.stringify(choice)}`, { skip }, async () => {
    const ajv = new Ajv2020();
    for (const [index, content] of [
      'What is 3 plus 4?',
      'How is the weather in Rome?',
      'Hello!',
      '{"name": "x"',
    ].entries()) {
      const { choices } = await client().chat.completions.create({
        model,
        messages: [{ role: 'user', content }],
        tools: TOOLS,
        tool_choice: choice,
        temperature: index % 2,
        seed: index,
        max_tokens: 400,
      });
      const calls = choices[0]!.message.tool_calls ?? [];
      assert.ok(calls.length > 0, 'no call');
      for (const call of calls) {
        assert.ok(call.type === 'function');
        const tool = TOOLS.find((one) => one.function.name === call.function.name);
        assert.ok(tool !== undefined && (name === undefined || name === call.function.name));
        assert.ok(ajv.validate(tool.function.parameters, JSON.parse(call.function.arguments)));
      }
    }
  });
}

test('a loop of calls and results is understood', { skip }, async () => {
  const { choices } = await client().chat.completions.create({
    model,
    tools: TOOLS,
    max_tokens: 30,
    temperature: 0,
    messages: [
      { role: 'user', content: 'What is 3 plus 4?' },
      {
        role: 'assistant',
        content: null,
        tool_calls: [
          { id: 'call_1', type: 'function', function: { name: 'add', arguments: '{"a": 3, "b": 4}' } },
        ],
      },
      { role: 'tool', tool_call_id: 'call_1', content: '7' },
    ],
  });
  assert.ok(['stop', 'length', 'tool_calls'].includes(choices[0]!.finish_reason));
});

test('answers to real schemas are valid by an independent validator, whatever the temperature', {
  skip,
}, async (t) => {
  const ajv = new Ajv2020({ strict: false });
  addFormats.default(ajv);
  for (const [name, schema] of Object.entries(REAL_SCHEMAS)) {
    for (const temperature of [0, 1]) {
      await t.test(`${name} at ${temperature}`, async () => {
        const { status, body } = await post('/structured-generate', {
          model,
          prompt: `Write an example of: ${name}.`,
          schema,
          temperature,
          seed: 5,
          max_tokens: 400,
        });
        if (status === 422) return assert.equal(body.error!.code, 'output_truncated');
        assert.equal(status, 200, JSON.stringify(body));
        assert.ok(ajv.validate(schema, body['value']), JSON.stringify(ajv.errors));
      });
    }
  }
});

test('what cannot be obeyed is refused within two seconds, and nobody else notices', { skip }, async (t) => {
  const nested = (depth: number): unknown =>
    depth === 0 ? { type: 'string' } : { type: 'object', properties: { a: nested(depth - 1) } };
  const schemas: Record<string, unknown> = {
    'depth 600': nested(600),
    'a circle of references': {
      $ref: '#/$defs/a',
      $defs: { a: { $ref: '#/$defs/b' }, b: { $ref: '#/$defs/a' } },
    },
    'required without end': {
      $defs: { n: { type: 'object', properties: { n: { $ref: '#/$defs/n' } }, required: ['n'] } },
      $ref: '#/$defs/n',
    },
    'a pattern with a back reference': { type: 'string', pattern: '(a+)\\1' },
    'a billion items': { type: 'array', items: { type: 'integer' }, minItems: 1e9 },
    'an enum of nothing': { enum: [] },
    'a keyword that is none': { type: 'string', maxLenght: 4 },
    'no value at all': { type: 'integer', minimum: 3, maximum: 2 },
    'a type that is none': { type: 'text' },
    'a remote reference': { $ref: 'https://example.com/schema.json' },
  };
  let others = 0;
  const stop = new AbortController();
  const neighbour = (async () => {
    while (!stop.signal.aborted) {
      const { status } = await post('/structured-generate', {
        model,
        prompt: 'Yes or no?',
        schema: { enum: ['yes', 'no'] },
        seed: 1,
      });
      assert.equal(status, 200);
      others += 1;
    }
  })();
  for (const [name, schema] of Object.entries(schemas)) {
    await t.test(name, async () => {
      const begun = performance.now();
      const { status, body } = await post('/structured-generate', { model, prompt: 'x', schema });
      assert.ok(status >= 400 && status < 500, `${status} ${JSON.stringify(body)}`);
      assert.ok(performance.now() - begun < 2000, `${performance.now() - begun} ms`);
    });
  }
  await t.test('a prompt of a megabyte', async () => {
    const { status, body } = await post('/structured-generate', {
      model,
      prompt: 'word '.repeat(200_000),
      schema: {},
    });
    assert.equal(status, 400);
    assert.equal(body.error!.code, 'context_exceeded');
    assert.match(body.error!.message, /\d+ tokens/);
  });
  await t.test('a prompt that is a template', async () => {
    const { status } = await post('/function-call', {
      model,
      prompt: '{% for x in range(1000000000) %}{{ x }}{% endfor',
      tools: TOOLS,
      tool_choice: 'required',
      seed: 1,
      max_tokens: 300,
    });
    assert.equal(status, 200);
  });
  stop.abort();
  await neighbour;
  assert.ok(others > 3, `${others} answers beside`);
});

test('a client that goes away ends its work, and the model answers the next', { skip }, async () => {
  const gone = new AbortController();
  const asked = post(
    '/v1/chat/completions',
    { model, messages: [{ role: 'user', content: 'Write a novel.' }], max_tokens: 1900 },
    gone.signal,
  );
  await eventually(async () => (await service().health()).queueDepth === 1, 'the request runs');
  gone.abort();
  await assert.rejects(asked);
  await eventually(async () => (await service().health()).queueDepth === 0, 'its turn is given back');
  const { status } = await post('/structured-generate', {
    model,
    prompt: 'Yes or no?',
    schema: { enum: ['yes', 'no'] },
  });
  assert.equal(status, 200);
});
