import assert from 'node:assert/strict';
import test from 'node:test';
import { type CompileOptions, compileSchema } from '../../../src/language/schema/compile-schema.ts';
import { readGbnf } from '../../support/gbnf.ts';

const grammarOf = (schema: unknown, options?: CompileOptions) =>
  readGbnf(compileSchema(schema, options).gbnf);
const compiling = (schema: unknown) => () => compileSchema(schema);

const PERSON = {
  type: 'object',
  properties: { name: { type: 'string' }, age: { type: 'integer' }, city: { type: 'string' } },
  required: ['name', 'city'],
};

test('members come in the order of the schema, those that may be left out among them', () => {
  const grammar = grammarOf(PERSON);
  for (const text of ['{"name":"a","city":"b"}', '{"name": "a", "age": 1, "city": "b"}']) {
    assert.ok(grammar.accepts(text), text);
  }
  for (const text of [
    '{"city":"b","name":"a"}',
    '{"name":"a","age":1}',
    '{"name":"a","name":"b","city":"c"}',
  ]) {
    assert.ok(!grammar.accepts(text), text);
  }
});

test('at most one space follows a comma or a colon, and there is no other', () => {
  const grammar = grammarOf({ type: 'array', items: { enum: [1] }, maxItems: 2 });
  for (const text of ['[]', '[1]', '[1,1]', '[1, 1]']) assert.ok(grammar.accepts(text), text);
  for (const text of [' []', '[ ]', '[1 ]', '[1,  1]', '[1,\n1]', '[1,1,1]'])
    assert.ok(!grammar.accepts(text), text);
});

test('an object that only names its properties is closed by default, and open where asked', () => {
  const extra = '{"name":"a","city":"b","x":1}';
  assert.ok(!grammarOf(PERSON).accepts(extra));
  assert.ok(grammarOf(PERSON, { openObjects: true }).accepts(extra));
  assert.ok(grammarOf({ ...PERSON, additionalProperties: true }).accepts(extra));
  assert.ok(grammarOf({ ...PERSON, patternProperties: { '^x': true } }).accepts(extra));
  assert.ok(grammarOf({ type: 'object' }).accepts('{"x":1}'));
});

test('an object stays open where it could not be satisfied otherwise', () => {
  assert.ok(grammarOf({ ...PERSON, minProperties: 4 }).accepts('{"name":"a","age":1,"city":"b","x":1}'));
});

test('a closed allOf has the properties of all its parts', () => {
  const schema = { allOf: [PERSON, { properties: { email: { type: 'string' } }, required: ['email'] }] };
  assert.ok(grammarOf(schema).accepts('{"name":"a","city":"b","email":"c"}'));
});

test('a grammar of required and optional members reads each character in one way', () => {
  const names = ['name', 'nickname', 'number', 'note', 'age', 'address', 'city'];
  const properties = Object.fromEntries(
    names.map((name) => [name, { type: ['string', 'null'], maxLength: 5 }]),
  );
  const grammar = grammarOf({ type: 'object', properties, required: ['number'] });
  assert.ok(grammar.accepts('{"nickname": null, "number": "1", "note": "ab\\n", "city": "c"}'));
  assert.equal(grammar.mostWays(), 1);
});

test('variants that share a tag are told apart by it, and exclude one another', () => {
  const variant = (kind: string, type: string) => ({
    type: 'object',
    properties: { kind: { const: kind }, value: { type } },
    required: ['kind', 'value'],
  });
  const grammar = grammarOf({ oneOf: [variant('text', 'string'), variant('count', 'integer')] });
  assert.ok(grammar.accepts('{"kind":"count","value":1}'));
  assert.ok(!grammar.accepts('{"kind":"count","value":"1"}'));
});

test('a value of two branches of oneOf is refused, of one accepted', () => {
  const grammar = grammarOf({ oneOf: [{ multipleOf: 2 }, { multipleOf: 3 }], type: 'integer', minimum: 0 });
  for (const [value, isAccepted] of [
    [2, true],
    [3, true],
    [6, false],
    [5, false],
    [0, false],
  ] as const) {
    assert.equal(grammar.accepts(String(value)), isAccepted, String(value));
  }
});

test('recursion ends where the schema lets it', () => {
  const tree = {
    $defs: {
      node: { type: 'object', properties: { children: { type: 'array', items: { $ref: '#/$defs/node' } } } },
    },
    $ref: '#/$defs/node',
  };
  assert.ok(grammarOf(tree).accepts('{"children":[{"children":[]},{}]}'));
});

test('unique items are enforced while their values are few', () => {
  const grammar = grammarOf({
    type: 'array',
    items: { enum: ['a', 'b', 1, null] },
    uniqueItems: true,
    minItems: 1,
  });
  for (const text of ['["a"]', '[1,"a",null,"b"]']) assert.ok(grammar.accepts(text), text);
  for (const text of ['[]', '["a","a"]', '[1,2]']) assert.ok(!grammar.accepts(text), text);
  assert.throws(compiling({ type: 'array', items: { type: 'string' }, uniqueItems: true }), {
    code: 'unsupported_schema',
    message: /at \/uniqueItems: .*at most 8 values/,
  });
});

test('an unknown keyword is refused by name and place, a remark is passed over', () => {
  assert.throws(compiling({ properties: { 'a/b': { requird: [] } } }), {
    message: /at \/properties\/a~1b\/requird: "requird"/,
  });
  assert.ok(compileSchema({ 'x-order': 1, title: 't', $comment: 'c', default: {}, examples: [1] }).gbnf);
});

test('a keyword with a value that it may not have is refused', () => {
  for (const schema of [
    { type: 'text' },
    { required: 'a' },
    { minItems: -1 },
    { items: [] },
    { anyOf: [] },
    7,
    null,
    [],
  ]) {
    assert.throws(compiling(schema), { code: 'invalid_schema' }, JSON.stringify(schema));
  }
});

test('nothing is fetched, and no other dialect is guessed', () => {
  assert.throws(compiling({ $ref: 'https://example.com/a.json' }), {
    code: 'unsupported_schema',
    message: /at \/\$ref: .*nothing is fetched/,
  });
  assert.throws(compiling({ $ref: '#/$defs/none' }), {
    code: 'invalid_schema',
    message: /leads to no schema/,
  });
  assert.throws(compiling({ $schema: 'http://json-schema.org/draft-04/schema#' }), {
    code: 'unsupported_schema',
    message: /at \/\$schema/,
  });
});

test('objects and arrays may be enumerated', () => {
  const grammar = grammarOf({ enum: [{ a: [1, null] }, ['b'], 'c', false] });
  for (const text of ['{"a": [1, null]}', '["b"]', '"c"', 'false']) assert.ok(grammar.accepts(text), text);
  assert.ok(!grammar.accepts('{"a":[1]}') && !grammar.accepts('{}'));
});
