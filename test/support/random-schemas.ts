/**
 * Schemas and values by a seed: small names and numbers, so that keywords meet one another. Without `unevaluatedItems` and
 * `unevaluatedProperties`, for which ajv is no oracle: beside `contains` and `anyOf` it answers wrongly, or throws; and it miscounts where
 * one `contains` is within another.
 */
export interface Dice {
  /** A whole number from 0 to below `sides`. */
  roll(sides: number): number;
  pick<T>(from: readonly T[]): T;
}

/** Mulberry32 (Tommy Ettinger): the same numbers for the same seed. */
export function createDice(seed: number): Dice {
  let state = seed;
  const roll = (sides: number): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % sides;
  };
  return { roll, pick: (from) => from[roll(from.length)]! };
}

type Schema = boolean | Record<string, unknown>;

const NAMES = ['a', 'b', 'ab', 'é"'];
const STRINGS = ['', 'a', 'b', 'ab', 'aab', '1', '😀', 'a\n"\\'];
const NUMBERS = [0, 1, 2, 3, -1, -2, 1.5, 0.25, 10, 12.75, 1e6, -1e-7];
const PATTERNS = ['a', '^a', 'b$', '^[ab]+$', '^(?:a|ab)(?:b|)$', '^.{2}$', '^(?!a)', '[^a]', '^\\W*$'];
const TYPES = ['null', 'boolean', 'integer', 'number', 'string', 'array', 'object'];

export function randomSchema(dice: Dice, depth: number): Schema {
  if (dice.roll(12) === 0) return dice.roll(2) === 0;
  const schema: Record<string, unknown> = {};
  for (let count = 1 + dice.roll(3); count > 0; count -= 1) {
    const makers = depth > 0 ? [...LEAVES, ...BRANCHES, ...BRANCHES] : LEAVES;
    Object.assign(schema, dice.pick(makers)(dice, depth - 1));
  }
  // Beside `prefixItems` ajv does not ask an empty array for what it must contain.
  if ('prefixItems' in schema) delete schema['contains'];
  return schema;
}

type Maker = (dice: Dice, depth: number) => Record<string, unknown>;

const several = <T>(dice: Dice, most: number, make: () => T): T[] =>
  Array.from({ length: 1 + dice.roll(most) }, make);
const byName = (dice: Dice, names: readonly string[], depth: number) =>
  Object.fromEntries(several(dice, 2, () => [dice.pick(names), randomSchema(dice, depth)]));
const someNames = (dice: Dice) => [...new Set(several(dice, 2, () => dice.pick(NAMES)))];

const LEAVES: readonly Maker[] = [
  (dice) => ({
    type: dice.roll(2) === 0 ? dice.pick(TYPES) : [...new Set(several(dice, 3, () => dice.pick(TYPES)))],
  }),
  (dice) => ({ enum: several(dice, 4, () => randomValue(dice, 1)) }),
  (dice) => ({ const: randomValue(dice, 1) }),
  (dice) => ({ minimum: dice.pick(NUMBERS.slice(0, 10)) }),
  (dice) => ({ exclusiveMaximum: dice.pick(NUMBERS.slice(0, 10)) }),
  (dice) => ({ maximum: dice.pick(NUMBERS.slice(0, 10)), exclusiveMinimum: dice.pick(NUMBERS.slice(0, 10)) }),
  (dice) => ({ multipleOf: dice.pick([1, 2, 3, 0.5, 0.25, 1.5, 10]) }),
  (dice) => ({ minLength: dice.roll(3) }),
  (dice) => ({ maxLength: dice.roll(3) }),
  (dice) => ({ pattern: dice.pick(PATTERNS) }),
  (dice) => ({ required: someNames(dice) }),
  (dice) => ({ minProperties: dice.roll(3) }),
  (dice) => ({ maxProperties: dice.roll(3) }),
  (dice) => ({ minItems: dice.roll(3) }),
  (dice) => ({ maxItems: dice.roll(3) }),
  (dice) => ({ dependentRequired: { [dice.pick(NAMES)]: someNames(dice) } }),
];

const BRANCHES: readonly Maker[] = [
  (dice, depth) => ({ properties: byName(dice, NAMES, depth) }),
  (dice, depth) => ({
    properties: byName(dice, NAMES, depth),
    additionalProperties: randomSchema(dice, depth),
  }),
  (dice, depth) => ({ patternProperties: byName(dice, PATTERNS, depth) }),
  (dice, depth) => ({ propertyNames: randomSchema(dice, depth) }),
  (dice, depth) => ({ dependentSchemas: { [dice.pick(NAMES)]: randomSchema(dice, depth) } }),
  (dice, depth) => ({ items: randomSchema(dice, depth) }),
  (dice, depth) => ({ prefixItems: several(dice, 2, () => randomSchema(dice, depth)) }),
  (dice) => ({ contains: randomSchema(dice, 0) }),
  (dice) => ({ contains: randomSchema(dice, 0), minContains: dice.roll(3), maxContains: dice.roll(3) }),
  (dice, depth) => ({
    uniqueItems: true,
    items: { enum: [1, 'a', null] },
    minItems: dice.roll(3),
    maxItems: 2 + depth,
  }),
  (dice, depth) => ({ not: randomSchema(dice, depth) }),
  (dice, depth) => ({ anyOf: several(dice, 3, () => randomSchema(dice, depth)) }),
  (dice, depth) => ({ allOf: several(dice, 3, () => randomSchema(dice, depth)) }),
  (dice, depth) => ({ oneOf: several(dice, 3, () => randomSchema(dice, depth)) }),
  (dice, depth) => ({
    if: randomSchema(dice, depth),
    // biome-ignore lint/suspicious/noThenProperty: the keyword of JSON Schema
    then: randomSchema(dice, depth),
    else: randomSchema(dice, depth),
  }),
];

export function randomValue(dice: Dice, depth: number): unknown {
  const kind = dice.roll(depth > 0 ? 9 : 5);
  if (kind === 0) return dice.pick([null, true, false]);
  if (kind <= 2) return dice.pick(NUMBERS);
  if (kind <= 4) return dice.pick(STRINGS);
  const size = dice.roll(4);
  if (kind <= 6) return Array.from({ length: size }, () => randomValue(dice, depth - 1));
  return Object.fromEntries(
    Array.from({ length: size }, () => [dice.pick([...NAMES, 'c', 'bb']), randomValue(dice, depth - 1)]),
  );
}
