import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import type { AnswerSource, SourceContext, SourcedAnswer } from '../../src/language/answer-source.ts';
import { createLanguageService } from '../../src/language/create-service.ts';
import type { GenerateEvent, GenerateRequest } from '../../src/language/generation.ts';
import { createSchemaCompiler } from '../../src/language/schema/schema-compiler.ts';

const TOOL = {
  name: 'add',
  parameters: { type: 'object', properties: { a: { type: 'integer' } }, required: ['a'] },
};
const SCHEMA = {
  kind: 'schema',
  schema: { type: 'object', properties: { n: { type: 'integer' } }, required: ['n'] },
} as const;
const { signal } = new AbortController();

type Said = Partial<Pick<SourcedAnswer, 'text' | 'calls' | 'isCut'>>;

/** A service whose source says these things one after the other. */
function open(t: TestContext, ...said: readonly Said[]) {
  const asked: SourceContext[] = [];
  const compiler = createSchemaCompiler({ timeoutMs: 5000 });
  t.after(() => compiler.close());
  const source: AnswerSource = {
    async answer(_, context) {
      const { text = '', calls = [], isCut = false } = said[asked.length]!;
      asked.push(context);
      if (context.streams && text !== '') context.onText(text);
      return {
        model: 'm',
        text,
        calls,
        isCut,
        usage: undefined,
        versions: {
          model: 'm',
          engine: 'embedded',
          checkpointHash: undefined,
          quantization: undefined,
          templateHash: undefined,
          settings: {},
          seed: context.seed,
        },
      };
    },
    measure: async ({ messages }) => ({
      promptTokens: messages.length,
      contextTokens: 100,
      isEstimate: false,
    }),
    models: async () => [],
    model: async () => {
      throw new Error('not asked for');
    },
  };
  const service = createLanguageService({ engine: { admit: () => ({ release() {} }) }, source, compiler });
  const generate = (request: Partial<GenerateRequest>, onEvent?: (event: GenerateEvent) => void) =>
    service.generate(
      { model: undefined, messages: [{ role: 'user', content: 'x' }], ...request },
      { signal, onEvent },
    );
  return { asked, generate, service };
}

test('a value that obeys its schema is given beside the text', async (t) => {
  const { generate, asked } = open(t, { text: '{"n": 4}' });
  const { value, finishReason, text } = await generate({ output: SCHEMA });
  assert.deepEqual([value, finishReason, text], [{ n: 4 }, 'stop', '{"n": 4}']);
  const { constraint } = asked[0]!.demand;
  assert.ok(constraint.kind === 'grammar' && constraint.gbnf.startsWith('root ::='));
});

test('what does not obey its schema is tried once more with another seed, and then is an error', async (t) => {
  const mended = open(t, { text: '{"n": "4"}' }, { text: '{"n": 5}' });
  assert.deepEqual((await mended.generate({ output: SCHEMA })).value, { n: 5 });
  assert.notEqual(mended.asked[0]!.seed, mended.asked[1]!.seed);
  const hopeless = open(t, { text: 'no' }, { text: '[]' });
  await assert.rejects(hopeless.generate({ output: SCHEMA }), { code: 'invalid_output' });
});

test('there is no second try for a seed of the caller’s, nor when text was told', async (t) => {
  await assert.rejects(open(t, { text: 'no' }).generate({ output: SCHEMA, seed: 3 }), {
    code: 'invalid_output',
  });
  const told: GenerateEvent[] = [];
  await assert.rejects(
    open(t, { text: 'no' }).generate({ output: SCHEMA }, (event) => told.push(event)),
    { code: 'invalid_output' },
  );
  assert.deepEqual(told, [{ type: 'text', text: 'no' }]);
});

test('an answer that was cut has that reason and no value', async (t) => {
  const { value, finishReason } = await open(t, { text: '{"n": 4', isCut: true }).generate({
    output: SCHEMA,
  });
  assert.deepEqual([value, finishReason], [undefined, 'length']);
});

test('calls are validated, named and told of', async (t) => {
  const told: GenerateEvent[] = [];
  const { generate } = open(t, {
    calls: [
      { name: 'add', arguments: '{"a": 1}' },
      { id: 'own', name: 'add', arguments: { a: 2 } },
    ],
  });
  const { toolCalls, finishReason } = await generate({ tools: [TOOL] }, (event) => told.push(event));
  assert.equal(finishReason, 'tool_calls');
  assert.match(toolCalls[0]!.id, /^call_[0-9a-f]{24}$/);
  assert.deepEqual(
    toolCalls.map(({ id, ...call }) => call),
    [
      { name: 'add', arguments: { a: 1 } },
      { name: 'add', arguments: { a: 2 } },
    ],
  );
  assert.equal(toolCalls[1]!.id, 'own');
  assert.deepEqual(
    told,
    toolCalls.map((call) => ({ type: 'toolCall', call })),
  );
});

test('calls of other tools, of other arguments and calls that are missing are no answers', async (t) => {
  for (const calls of [
    [{ name: 'sub', arguments: {} }],
    [{ name: 'add', arguments: { a: 'x' } }],
    [{ name: 'add', arguments: 'no JSON' }],
    [{ name: 'add', arguments: [] }],
    [],
  ])
    await assert.rejects(open(t, { calls }, { calls }).generate({ tools: [TOOL], toolChoice: 'required' }), {
      code: 'invalid_output',
    });
});

test('of a cut answer the calls that are whole and valid are kept', async (t) => {
  const calls = [
    { name: 'add', arguments: '{"a": 1}' },
    { name: 'add', arguments: '{"a": ' },
  ];
  const { toolCalls, finishReason } = await open(t, { calls, isCut: true }).generate({ tools: [TOOL] });
  assert.deepEqual([toolCalls.length, finishReason], [1, 'length']);
});

test('what is asked decides what may be written', async (t) => {
  const of = async (request: Partial<GenerateRequest>) => {
    const { generate, asked } = open(t, {
      text: 'true',
      calls:
        request.toolChoice === undefined || request.toolChoice === 'none'
          ? []
          : [{ name: 'add', arguments: { a: 1 } }],
    });
    await generate(request);
    return asked[0]!.demand;
  };
  assert.equal((await of({})).constraint.kind, 'free');
  const none = await of({ tools: [TOOL], toolChoice: 'none' });
  assert.deepEqual([none.constraint.kind, none.tools.length], ['free', 0]);
  const auto = (await of({ tools: [TOOL] })).constraint;
  assert.ok(auto.kind === 'calls' && auto.otherwise === 'text' && auto.isParallel);
  const other = { ...TOOL, name: 'sub' };
  const named = await of({ tools: [TOOL, other], toolChoice: { name: 'add' }, parallelToolCalls: false });
  assert.ok(
    named.constraint.kind === 'calls' &&
      named.constraint.otherwise === undefined &&
      !named.constraint.isParallel,
  );
  assert.deepEqual(named.tools, [TOOL]);
  const both = (await of({ tools: [TOOL], output: { kind: 'schema', schema: { type: 'boolean' } } }))
    .constraint;
  assert.ok(
    both.kind === 'calls' &&
      typeof both.otherwise === 'object' &&
      both.otherwise.gbnf.startsWith('value ::='),
  );
});

const REFUSED: readonly [name: string, request: Partial<GenerateRequest>, code: string, param: string][] = [
  ['no messages', { messages: [] }, 'invalid_request', 'messages'],
  ['a name that is none', { tools: [{ ...TOOL, name: 'a b' }] }, 'invalid_request', 'tools[0].function.name'],
  ['two tools of one name', { tools: [TOOL, TOOL] }, 'invalid_request', 'tools[1].function.name'],
  ['a choice among no tools', { toolChoice: 'required' }, 'invalid_request', 'tool_choice'],
  [
    'a tool that is not there',
    { tools: [TOOL], toolChoice: { name: 'x' } },
    'invalid_request',
    'tool_choice',
  ],
  [
    'too many tools',
    { tools: Array.from({ length: 129 }, (_, index) => ({ ...TOOL, name: `t${index}` })) },
    'invalid_request',
    'tools',
  ],
  [
    'arguments that cannot be bound',
    { tools: [{ name: 'a', parameters: { type: 'text' } }] },
    'invalid_schema',
    'tools[0].function.parameters',
  ],
  [
    'a schema that cannot be obeyed',
    { output: { kind: 'schema', schema: { type: 'string', pattern: '(a)\\1' } } },
    'unsupported_schema',
    'schema',
  ],
  ['an empty stop string', { stop: [''] }, 'invalid_request', 'stop'],
  ['a seed that is none', { seed: -1 }, 'invalid_request', 'seed'],
];

for (const [name, request, code, param] of REFUSED) {
  test(`${name}: refused before anything is written`, async (t) => {
    const { generate, asked } = open(t, { text: '' });
    await assert.rejects(generate(request), { code, param });
    assert.equal(asked.length, 0);
  });
}

test('a prompt is measured by its source, and a schema checked, without a token', async (t) => {
  const { service, asked } = open(t);
  const messages = [{ role: 'user', content: 'x' }] as const;
  assert.equal((await service.measure({ model: undefined, messages }, signal)).promptTokens, 1);
  await assert.rejects(service.measure({ model: undefined, messages: [] }, signal), {
    code: 'invalid_request',
  });
  await service.checkSchema(SCHEMA.schema, signal);
  await assert.rejects(service.checkSchema({ type: 'object', minimun: 3 }), { code: 'unsupported_schema' });
  await assert.rejects(service.checkSchema({ type: 'objct' }), { code: 'invalid_schema' });
  assert.equal(asked.length, 0);
});
