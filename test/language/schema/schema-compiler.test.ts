import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { createSchemaCompiler } from '../../../src/language/schema/schema-compiler.ts';
import { readGbnf } from '../../support/gbnf.ts';

const PERSON = {
  type: 'object',
  properties: { name: { type: 'string' }, age: { type: 'integer', minimum: 0 } },
  required: ['name'],
};
/** Automata have no trouble with it, backtracking has: 2^40 steps. */
const CATASTROPHIC = { type: 'string', pattern: '^(a+)+$' };
const CATASTROPHIC_VALUE = `${'a'.repeat(40)}!`;

function open(context: TestContext, timeoutMs = 5000) {
  const compiler = createSchemaCompiler({ timeoutMs });
  context.after(() => compiler.close());
  return compiler;
}

test('a schema is compiled in the thread, and kept', async (context) => {
  const compiler = open(context);
  const compiled = await compiler.compile(PERSON);
  assert.ok(readGbnf(compiled.gbnf).accepts('{"name": "Ada", "age": 36}'));
  assert.equal(await compiler.compile(structuredClone(PERSON)), compiled);
  assert.notEqual(await compiler.compile(PERSON, { openObjects: true }), compiled);
});

test('a value is valid, or the first place where it is not is named', async (context) => {
  const compiler = open(context);
  assert.equal(await compiler.validate(PERSON, { name: 'Ada', age: 36 }), undefined);
  const problem = await compiler.validate(PERSON, { name: 'Ada', age: -1 });
  assert.deepEqual(problem, { pointer: '/age', message: 'must be >= 0' });
});

test('formats are validated, and 0.07 is a multiple of 0.01', async (context) => {
  const compiler = open(context);
  assert.equal(await compiler.validate({ format: 'date' }, '2024-02-29'), undefined);
  assert.notEqual(await compiler.validate({ format: 'date' }, '2023-02-29'), undefined);
  assert.equal(await compiler.validate({ multipleOf: 0.01 }, 0.07), undefined);
});

test('a refused schema keeps its code and message across the thread', async (context) => {
  const refused = open(context).compile({ type: 'object', requird: ['a'] });
  await assert.rejects(refused, {
    name: 'AppError',
    code: 'unsupported_schema',
    message: /\/requird.*no known keyword/,
  });
});

test('a validation that takes too long is refused, and those that wait are answered', async (context) => {
  const compiler = open(context, 700);
  await compiler.compile(CATASTROPHIC);
  const started = performance.now();
  const [late, other] = await Promise.allSettled([
    compiler.validate(CATASTROPHIC, CATASTROPHIC_VALUE),
    compiler.validate(PERSON, { name: 'Ada' }),
  ]);
  assert.equal(late.status === 'rejected' && late.reason.code, 'unsupported_schema');
  assert.match(late.status === 'rejected' ? late.reason.message : '', /longer than 700 ms/);
  assert.deepEqual(other, { status: 'fulfilled', value: undefined });
  assert.ok(performance.now() - started < 10_000);
});

test('who cancels is answered at once, and its task does not keep others', async (context) => {
  const compiler = open(context);
  const abort = new AbortController();
  const running = compiler.validate(CATASTROPHIC, CATASTROPHIC_VALUE, { signal: abort.signal });
  const waiting = compiler.compile(PERSON, { signal: abort.signal });
  abort.abort();
  await assert.rejects(running, { code: 'cancelled' });
  await assert.rejects(waiting, { code: 'cancelled' });
  await assert.rejects(compiler.compile(PERSON, { signal: abort.signal }), { code: 'cancelled' });
});

test('closing refuses what waits and what comes after', async () => {
  const compiler = createSchemaCompiler({ timeoutMs: 5000 });
  const asked = Promise.allSettled([
    compiler.validate(CATASTROPHIC, CATASTROPHIC_VALUE),
    compiler.compile(PERSON),
  ]);
  await compiler.close();
  const after = await Promise.allSettled([compiler.compile(PERSON)]);
  const codes = [...(await asked), ...after].map((one) => one.status === 'rejected' && one.reason.code);
  assert.deepEqual(codes, ['shutting_down', 'shutting_down', 'shutting_down']);
});

test('a schema of an older draft is compiled and validated as one of 2020-12', async (context) => {
  const compiler = open(context);
  const draft7 = { $schema: 'http://json-schema.org/draft-07/schema#', type: 'integer' };
  assert.ok(readGbnf((await compiler.compile(draft7)).gbnf).accepts('7'));
  assert.equal(await compiler.validate(draft7, 7), undefined);
});
