/** Random schemas and values: the grammar's verdict is ajv's. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { AppError } from '../../../src/base/errors.ts';
import { compileSchema } from '../../../src/language/schema/compile-schema.ts';
import { readGbnf } from '../../support/gbnf.ts';
import { createDice, randomSchema, randomValue } from '../../support/random-schemas.ts';

const SCHEMAS = 300;
const VALUES = 40;

test('a random value is derived by the grammar of a random schema exactly where it is valid', (context) => {
  const dice = createDice(20_12);
  let compiled = 0;
  let valid = 0;
  for (let count = 0; count < SCHEMAS; count += 1) {
    const schema = randomSchema(dice, 2);
    const ajv = new Ajv2020({ strict: false });
    // Keeping account of what was evaluated makes ajv 8.20 throw on some schemas, and here nothing asks for it.
    ajv.opts.unevaluated = false;
    const validate = ajv.compile(schema);
    const grammar = grammarOf(schema, true);
    const values = Array.from({ length: VALUES }, () => randomValue(dice, 2));
    if (grammar === undefined) continue;
    compiled += 1;
    for (const value of values) {
      const expected = validate(value);
      if (expected) valid += 1;
      const shown = `${JSON.stringify(schema)} of ${JSON.stringify(value)}`;
      assert.equal(grammar.acceptsValue(value), expected, shown);
    }
  }
  context.diagnostic(
    `${compiled} of ${SCHEMAS} schemas compiled; ${valid} of ${compiled * VALUES} values valid`,
  );
  assert.ok(compiled > SCHEMAS * 0.9);
  assert.ok(valid > compiled * VALUES * 0.1);
});

test('a text derived by the grammar of a random schema is JSON, and valid', (context) => {
  const dice = createDice(5);
  let texts = 0;
  for (let count = 0; count < SCHEMAS; count += 1) {
    const schema = randomSchema(dice, 2);
    const ajv = new Ajv2020({ strict: false });
    ajv.opts.unevaluated = false;
    const validate = ajv.compile(schema);
    const grammar = grammarOf(schema, false);
    if (grammar === undefined || grammar.isEmpty) continue;
    for (let tries = 0; tries < 5; tries += 1) {
      const text = grammar.derive(dice.roll, 400);
      // A free name may come twice, and then what is counted by names is less than what was written.
      if (text === undefined || hasNameTwice(text)) continue;
      texts += 1;
      assert.ok(validate(JSON.parse(text)), `${JSON.stringify(schema)} of ${text}`);
    }
  }
  context.diagnostic(`${texts} texts`);
  assert.ok(texts > SCHEMAS);
});

/** Names are told apart by writing the value again: it is shorter without those that were overwritten. */
function hasNameTwice(text: string): boolean {
  const names = (value: string) => value.match(/"(?:[^"\\]|\\.)*": ?/gu)?.length ?? 0;
  return names(text) !== names(JSON.stringify(JSON.parse(text)));
}

function grammarOf(schema: unknown, openObjects: boolean) {
  try {
    const { gbnf } = compileSchema(schema, { openObjects, formats: 'annotation' });
    return { ...readGbnf(gbnf), isEmpty: false };
  } catch (thrown) {
    if (thrown instanceof AppError && thrown.code === 'unsupported_schema') return undefined;
    if (thrown instanceof AppError && /no value satisfies it/.test(thrown.message)) {
      return { ...readGbnf('root ::= "!"\n'), isEmpty: true };
    }
    throw thrown;
  }
}
