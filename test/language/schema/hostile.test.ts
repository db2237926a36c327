/** Schemas that are made to take time or memory: each is compiled or refused, by name, within two seconds. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { AppError } from '../../../src/base/errors.ts';
import { compileSchema } from '../../../src/language/schema/compile-schema.ts';
import { readGbnf } from '../../support/gbnf.ts';

const LIMIT_MS = 2000;

/** Of the processor, as test machines are shared. */
function milliseconds(since: NodeJS.CpuUsage): number {
  return process.cpuUsage(since).user / 1000;
}

function nested(depth: number, around: (inner: unknown) => unknown): unknown {
  let schema: unknown = { type: 'string' };
  for (let level = 0; level < depth; level += 1) schema = around(schema);
  return schema;
}

const many = (count: number, prefix = 'property') =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`${prefix}${index}`, { type: 'string' }]));
const list = (count: number, make: (index: number) => unknown) =>
  Array.from({ length: count }, (_, index) => make(index));

const REFUSED: Readonly<Record<string, { readonly schema: unknown; readonly message: RegExp }>> = {
  'objects 600 deep': {
    schema: nested(600, (a) => ({ type: 'object', properties: { a }, required: ['a'] })),
    message: /properties.*nested deeper than 256/,
  },
  'not 600 deep': { schema: nested(600, (not) => ({ not })), message: /\/not.*nested deeper than 256/ },
  'a $ref that leads back': {
    schema: { $ref: '#/$defs/a', $defs: { a: { $ref: '#/$defs/b' }, b: { $ref: '#/$defs/a' } } },
    message: /\$defs\/a: it refers to itself/,
  },
  'an anyOf that leads back': {
    schema: { anyOf: [{ type: 'null' }, { $ref: '#' }] },
    message: /refers to itself/,
  },
  'recursion without an end': {
    schema: { type: 'object', properties: { a: { $ref: '#' } }, required: ['a'] },
    message: /no value satisfies it/,
  },
  'a pattern of 2^20 states': {
    schema: { pattern: '(a|b)*a(a|b){20}' },
    message: /\/pattern: .*20000 states/,
  },
  'a million repetitions': { schema: { pattern: 'a{1,1000000}' }, message: /\/pattern: .*20000 states/ },
  'repetitions of repetitions': {
    schema: { pattern: '^(((a{1,99}){1,99}){1,99})$' },
    message: /\/pattern: .*20000 states/,
  },
  '500 groups within groups': {
    schema: { pattern: `${'('.repeat(500)}a${')'.repeat(500)}` },
    message: /\/pattern: .*200 groups/,
  },
  'a billion items': { schema: { type: 'array', minItems: 1e9 }, message: /\/minItems: .*1000/ },
  'a million characters': { schema: { type: 'string', minLength: 1e6 }, message: /\/minLength: .*10000/ },
  'a name of 100,000 characters': {
    schema: { properties: { [`k${'k'.repeat(99_999)}`]: true } },
    message: /name has more than 1000 characters/,
  },
  'an enum of nothing': {
    schema: { properties: { e: { enum: [] } }, required: ['e'] },
    message: /\/properties\/e\/enum: it has no values/,
  },
  'an enum of 20,001 values': { schema: { enum: list(20_001, String) }, message: /\/enum: .*20000 values/ },
  '12 overlapping patterns of names': {
    schema: {
      patternProperties: Object.fromEntries(
        list(12, (index) => [`a.*${index}`, { minimum: index }]) as [string, unknown][],
      ),
    },
    message: /\/patternProperties: .*32 classes/,
  },
  '2^15 alternatives': {
    schema: {
      allOf: list(15, (index) => ({ anyOf: [{ required: [`a${index}`] }, { required: [`b${index}`] }] })),
    },
    message: /\/allOf: .*500 alternatives/,
  },
  'counts of counts': {
    schema: { contains: { const: 1 }, minContains: 500, maxContains: 900, maxItems: 1000 },
    message: /more than 100000 rules/,
  },
  'a keyword named __proto__': {
    schema: JSON.parse('{"__proto__": {"type": "string"}}'),
    message: /\/__proto__: .*no known keyword/,
  },
};

for (const [name, { schema, message }] of Object.entries(REFUSED)) {
  test(`${name} is refused`, () => {
    const started = process.cpuUsage();
    assert.throws(
      () => compileSchema(schema),
      (thrown) => thrown instanceof AppError && message.test(thrown.message),
    );
    assert.ok(milliseconds(started) < LIMIT_MS);
  });
}

const COMPILED: Readonly<Record<string, { readonly schema: unknown; readonly value: unknown }>> = {
  'an enum of 10,000 strings': {
    schema: { enum: list(10_000, (index) => `value ${index * 7919}`) },
    value: 'value 79182081',
  },
  'an enum of 10,000 numbers': { schema: { enum: list(10_000, (index) => index * 7.25) }, value: 72_492.75 },
  'a pattern that backtracks': { schema: { pattern: '^(a+)+$' }, value: 'a'.repeat(5000) },
  'ten thousand characters': { schema: { type: 'string', maxLength: 10_000 }, value: 'a'.repeat(10_000) },
  '2000 optional properties': {
    schema: { type: 'object', properties: many(2000) },
    value: { property7: 'a', property1999: 'b' },
  },
  '2000 required properties': {
    schema: { type: 'object', properties: many(2000), required: Object.keys(many(2000)) },
    value: Object.fromEntries(Object.keys(many(2000)).map((name) => [name, ''])),
  },
  'arrays 200 deep': {
    schema: nested(200, (items) => ({ type: 'array', items })),
    value: [[['a']]].slice(1),
  },
  'allOf of twice the same, 25 times': {
    schema: {
      $ref: '#/$defs/d24',
      $defs: Object.fromEntries(
        list(25, (index) => [
          `d${index}`,
          index === 0 ? { type: 'string' } : { allOf: list(2, () => ({ $ref: `#/$defs/d${index - 1}` })) },
        ]) as [string, unknown][],
      ),
    },
    value: 'a',
  },
  'fifty variants': {
    schema: {
      oneOf: list(50, (index) => ({
        properties: { kind: { const: `k${index}` } },
        required: ['kind'],
        type: 'object',
      })),
    },
    value: { kind: 'k49' },
  },
  'names of Object.prototype': {
    schema: JSON.parse(
      '{"properties": {"__proto__": {"const": 1}, "constructor": {"const": 2}}, "required": ["__proto__"]}',
    ),
    value: JSON.parse('{"__proto__": 1, "constructor": 2}'),
  },
  'bounds at the ends of numbers': {
    schema: { minimum: -Number.MAX_VALUE, maximum: Number.MAX_VALUE },
    value: 1e308,
  },
  'bounds of 64 bits': {
    schema: { type: 'integer', minimum: -(2 ** 63), maximum: 2 ** 63 },
    value: -9_007_199_254_740_991,
  },
};

for (const [name, { schema, value }] of Object.entries(COMPILED)) {
  test(`${name}: compiled in time`, () => {
    const started = process.cpuUsage();
    const { gbnf } = compileSchema(schema);
    const took = milliseconds(started);
    assert.ok(took < LIMIT_MS, `${took} ms`);
    const grammar = readGbnf(gbnf);
    assert.ok(grammar.accepts(JSON.stringify(value)));
    assert.ok(!grammar.accepts('{"x":'));
  });
}
