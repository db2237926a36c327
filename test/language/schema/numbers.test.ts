import assert from 'node:assert/strict';
import test from 'node:test';
import { compileSchema } from '../../../src/language/schema/compile-schema.ts';
import { readGbnf } from '../../support/gbnf.ts';

const grammarOf = (schema: unknown, openObjects = true) =>
  readGbnf(compileSchema(schema, { openObjects }).gbnf);
const compiling = (schema: unknown) => () => compileSchema(schema);

/** Halves, so that bounds are met from both sides. */
const HALVES = Array.from({ length: 481 }, (_, index) => index / 2 - 120);

test('bounds hold for every number around them', () => {
  const bounds = [-110.5, -100, -99.5, -10, -9, -1, -0.5, 0, 0.5, 1, 9, 9.5, 10, 11, 99, 100, 101.5];
  for (const bound of bounds) {
    const cases: [string, (value: number) => boolean][] = [
      ['minimum', (value) => value >= bound],
      ['maximum', (value) => value <= bound],
      ['exclusiveMinimum', (value) => value > bound],
      ['exclusiveMaximum', (value) => value < bound],
    ];
    for (const [keyword, holds] of cases) {
      const grammar = grammarOf({ type: 'number', [keyword]: bound });
      for (const value of HALVES) {
        assert.equal(grammar.accepts(JSON.stringify(value)), holds(value), `${value} ${keyword} ${bound}`);
      }
    }
  }
});

test('every range of small integers has exactly its integers', () => {
  for (let least = -12; least <= 12; least += 1) {
    for (let most = least; most <= 12; most += 3) {
      const grammar = grammarOf({ type: 'integer', minimum: least, maximum: most });
      for (let value = -15; value <= 15; value += 1) {
        assert.equal(
          grammar.accepts(String(value)),
          value >= least && value <= most,
          `${value} in ${least}..${most}`,
        );
      }
    }
  }
});

test('multiples are exact in decimals', () => {
  const cases: [number, (cents: number) => boolean][] = [
    [0.01, () => true],
    [0.05, (cents) => cents % 5 === 0],
    [0.25, (cents) => cents % 25 === 0],
    [1, (cents) => cents % 100 === 0],
    [1.5, (cents) => cents % 150 === 0],
    [7, (cents) => cents % 700 === 0],
    [10, (cents) => cents % 1000 === 0],
  ];
  for (const [divisor, holds] of cases) {
    const grammar = grammarOf({ type: 'number', multipleOf: divisor });
    for (let cents = -2200; cents <= 2200; cents += 1) {
      assert.equal(
        grammar.accepts(JSON.stringify(cents / 100)),
        holds(cents),
        `${cents / 100} by ${divisor}`,
      );
    }
    assert.ok(!grammar.accepts('0.001'));
  }
});

test('every double of random bits is a number as JSON.stringify writes it', () => {
  const grammar = grammarOf({ type: 'number' });
  const bytes = new DataView(new ArrayBuffer(8));
  for (let count = 0; count < 3000; count += 1) {
    bytes.setUint32(0, (count * 2_654_435_761) >>> 0);
    bytes.setUint32(4, (count * 40_503_999_983) >>> 0);
    const value = bytes.getFloat64(0);
    if (!Number.isFinite(value) || Math.abs(value) > 1.69e308) continue;
    assert.ok(grammar.accepts(JSON.stringify(value)), String(value));
  }
  for (const value of [0.1 + 0.2, 1e21, 123456789012345680000, 1e-7, 5e-324, -1 / 3]) {
    assert.ok(grammar.accepts(JSON.stringify(value)), String(value));
  }
});

test('a number is never written so that JSON.parse reads no number, or an infinite one', () => {
  for (const openObjects of [true, false]) {
    const grammar = grammarOf({ type: 'number' }, openObjects);
    for (const text of ['01', '-', '1.', '.5', '1e', '1e999', '+1', 'NaN', '1e+309', '-0']) {
      assert.ok(!grammar.accepts(text), text);
    }
  }
});

test('integers are generated without a point, and enumerated numbers as they are', () => {
  assert.ok(!grammarOf({ type: 'integer' }, false).accepts('1.0'));
  const prices = grammarOf({ enum: [1.5, 2, -3e-7, 4e22] }, false);
  for (const text of ['1.5', '2', '-3e-7', '4e+22']) assert.ok(prices.accepts(text), text);
  for (const text of ['1.50', '2.0', '2.', '4e22']) assert.ok(!prices.accepts(text), text);
  assert.ok(grammarOf({ type: 'number' }, false).accepts('12.00'));
});

test('bounds and divisors beyond what digits can tell are refused', () => {
  assert.throws(compiling({ maximum: 1e300 }), {
    code: 'unsupported_schema',
    message: /at \/maximum: .*1e21/,
  });
  assert.throws(compiling({ minimum: 1e-9 }), { code: 'unsupported_schema', message: /at \/minimum/ });
  assert.throws(compiling({ multipleOf: 7919 }), {
    code: 'unsupported_schema',
    message: /at \/multipleOf: .*4000/,
  });
  assert.throws(compiling({ type: 'integer', minimum: 3, maximum: 2 }), {
    code: 'invalid_schema',
    message: /no value/,
  });
});
