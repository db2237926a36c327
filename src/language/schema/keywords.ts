/** Every keyword that a schema may have: what its value must be, and where schemas lie in it. All others are refused by name. */
import { invalid, unsupported } from './refusal.ts';
import { isObject } from './values/json.ts';

/** Where a keyword's value holds schemas. */
export type Holds = 'nothing' | 'schema' | 'list' | 'map';

interface Keyword {
  readonly holds: Holds;
  readonly expected: string;
  fits(value: unknown): boolean;
}

const isCount = (value: unknown) => typeof value === 'number' && Number.isInteger(value) && value >= 0;
const isStrings = (value: unknown) => Array.isArray(value) && value.every((item) => typeof item === 'string');
const isSchema = (value: unknown) => typeof value === 'boolean' || isObject(value);

const text: Keyword = { holds: 'nothing', expected: 'a string', fits: (value) => typeof value === 'string' };
const flag: Keyword = {
  holds: 'nothing',
  expected: 'a boolean',
  fits: (value) => typeof value === 'boolean',
};
const number: Keyword = {
  holds: 'nothing',
  expected: 'a number',
  fits: (value) => typeof value === 'number',
};
const count: Keyword = { holds: 'nothing', expected: 'a whole number of 0 or more', fits: isCount };
const anything: Keyword = { holds: 'nothing', expected: 'anything', fits: () => true };
const list: Keyword = { holds: 'nothing', expected: 'a list', fits: Array.isArray };
const strings: Keyword = { holds: 'nothing', expected: 'a list of strings', fits: isStrings };
const schema: Keyword = { holds: 'schema', expected: 'a schema', fits: isSchema };
const schemas: Keyword = {
  holds: 'list',
  expected: 'a list of one schema or more',
  fits: (value) => Array.isArray(value) && value.length > 0 && value.every(isSchema),
};
const schemasByName: Keyword = {
  holds: 'map',
  expected: 'an object of schemas',
  fits: (value) => isObject(value) && Object.values(value).every(isSchema),
};

const TYPES = ['null', 'boolean', 'number', 'integer', 'string', 'array', 'object'];
const isType = (value: unknown) => typeof value === 'string' && TYPES.includes(value);

/** `definitions` is where drafts before 2019-09 keep what is now under `$defs`. */
const KEYWORDS: Readonly<Record<string, Keyword>> = {
  $schema: text,
  $id: text,
  $ref: text,
  $anchor: text,
  $dynamicRef: text,
  $dynamicAnchor: text,
  $comment: text,
  $defs: schemasByName,
  definitions: schemasByName,
  title: text,
  description: text,
  default: anything,
  examples: list,
  deprecated: flag,
  readOnly: flag,
  writeOnly: flag,
  contentEncoding: text,
  contentMediaType: text,
  contentSchema: schema,
  type: {
    holds: 'nothing',
    expected: `one or a list of ${TYPES.join(', ')}`,
    fits: (value) => isType(value) || (Array.isArray(value) && value.length > 0 && value.every(isType)),
  },
  enum: list,
  const: anything,
  multipleOf: {
    holds: 'nothing',
    expected: 'a number above 0',
    fits: (value) => typeof value === 'number' && value > 0,
  },
  minimum: number,
  maximum: number,
  exclusiveMinimum: number,
  exclusiveMaximum: number,
  minLength: count,
  maxLength: count,
  pattern: text,
  format: text,
  prefixItems: schemas,
  items: schema,
  contains: schema,
  minContains: count,
  maxContains: count,
  minItems: count,
  maxItems: count,
  uniqueItems: flag,
  unevaluatedItems: schema,
  properties: schemasByName,
  patternProperties: schemasByName,
  additionalProperties: schema,
  propertyNames: schema,
  required: strings,
  minProperties: count,
  maxProperties: count,
  dependentRequired: {
    holds: 'nothing',
    expected: 'an object of lists of strings',
    fits: (value) => isObject(value) && Object.values(value).every(isStrings),
  },
  dependentSchemas: schemasByName,
  unevaluatedProperties: schema,
  allOf: schemas,
  anyOf: schemas,
  oneOf: schemas,
  not: schema,
  if: schema,
  // biome-ignore lint/suspicious/noThenProperty: the keyword of JSON Schema
  then: schema,
  else: schema,
};

/** Drafts that mean the same by the keywords above; what they write another way is refused by its name or its value. */
const DIALECTS = [
  /^https?:\/\/json-schema\.org\/draft\/2020-12\/schema#?$/,
  /^https?:\/\/json-schema\.org\/draft\/2019-09\/schema#?$/,
  /^https?:\/\/json-schema\.org\/draft-0[67]\/schema#?$/,
];

/** Throws for a keyword that is unknown or has a value that it may not have. `x-` begins a remark for others. */
export function holdsOf(name: string, value: unknown, pointer: string): Holds {
  if (name.startsWith('x-')) return 'nothing';
  if (!Object.hasOwn(KEYWORDS, name)) {
    throw unsupported(pointer, `"${name.slice(0, 100)}" is no known keyword`);
  }
  const keyword = KEYWORDS[name]!;
  if (!keyword.fits(value)) throw invalid(pointer, `"${name}" must be ${keyword.expected}`);
  if (name === '$schema' && !DIALECTS.some((dialect) => dialect.test(value as string))) {
    throw unsupported(pointer, 'the dialect of "$schema" is not known; use JSON Schema 2020-12');
  }
  return keyword.holds;
}
