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
    const grammar = grammarOf(schema);
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

function grammarOf(schema: unknown) {
  try {
    return readGbnf(compileSchema(schema, { openObjects: true, formats: 'annotation' }).gbnf);
  } catch (thrown) {
    if (thrown instanceof AppError && thrown.code === 'unsupported_schema') return undefined;
    if (thrown instanceof AppError && /no value satisfies it/.test(thrown.message))
      return readGbnf('root ::= "!"\n');
    throw thrown;
  }
}
