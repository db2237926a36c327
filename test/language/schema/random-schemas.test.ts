/** Random schemas and values: the grammar's verdict is ajv's. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { AppError } from '../../../src/base/errors.ts';
import { compileSchema } from '../../../src/language/schema/compile-schema.ts';
import { createValidator } from '../../../src/language/schema/validate-value.ts';
import { readGbnf } from '../../support/gbnf.ts';
import { createDice, randomSchema, randomValue } from '../../support/random-schemas.ts';

const SCHEMAS = 150;
const VALUES = 40;

test('a random value is derived by the grammar of a random schema exactly where it is valid', (context) => {
  const dice = createDice(20_12);
  let compiled = 0;
  let valid = 0;
  for (let count = 0; count < SCHEMAS; count += 1) {
    const schema = randomSchema(dice, 2);
    const validate = createValidator(schema);
    const grammar = grammarOf(schema, true);
    const values = Array.from({ length: VALUES }, () => randomValue(dice, 2));
    if (grammar === undefined) continue;
    compiled += 1;
    for (const value of values) {
      const expected = validate(value) === undefined;
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
    const validate = createValidator(schema);
    const grammar = grammarOf(schema, false);
    if (grammar === undefined || grammar.isEmpty) continue;
    for (let tries = 0; tries < 5; tries += 1) {
      const text: string | undefined = grammar.derive(dice.roll, 400);
      // A free name may come twice, and then what is counted by names is less than what was written.
      if (text === undefined || hasNameTwice(text)) continue;
      texts += 1;
      assert.equal(validate(JSON.parse(text)), undefined, `${JSON.stringify(schema)} of ${text}`);
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
