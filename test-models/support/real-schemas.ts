/** Schemas as people write them, each with another part of the language in it. Bounded, since a very small model does not know when to stop. */

const short = { type: 'string', maxLength: 24 };

export const REAL_SCHEMAS: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  'a person': {
    type: 'object',
    properties: {
      name: short,
      age: { type: 'integer', minimum: 0, maximum: 120 },
      email: { type: 'string', format: 'email', maxLength: 40 },
    },
    required: ['name', 'age'],
  },
  'the sentiment of a review': {
    type: 'object',
    properties: {
      sentiment: { enum: ['positive', 'neutral', 'negative'] },
      score: { type: 'number', minimum: 0, maximum: 1, multipleOf: 0.01 },
    },
    required: ['sentiment', 'score'],
    additionalProperties: false,
  },
  'a task list': {
    type: 'array',
    minItems: 1,
    maxItems: 3,
    items: {
      type: 'object',
      properties: { title: short, done: { type: 'boolean' }, due: { type: 'string', format: 'date' } },
      required: ['title', 'done'],
    },
  },
  'an invoice': {
    type: 'object',
    properties: {
      number: { type: 'string', pattern: '^INV-[0-9]{6}$' },
      total: { type: 'number', exclusiveMinimum: 0, maximum: 100000, multipleOf: 0.01 },
      currency: { enum: ['EUR', 'USD', 'VND'] },
      lines: {
        type: 'array',
        minItems: 1,
        maxItems: 2,
        items: {
          type: 'object',
          properties: { text: short, quantity: { type: 'integer', minimum: 1, maximum: 99 } },
          required: ['text', 'quantity'],
          additionalProperties: false,
        },
      },
    },
    required: ['number', 'total', 'currency', 'lines'],
    additionalProperties: false,
  },
  'one of two shapes': {
    oneOf: [
      {
        type: 'object',
        properties: { kind: { const: 'circle' }, radius: { type: 'number', minimum: 0, maximum: 100 } },
        required: ['kind', 'radius'],
        additionalProperties: false,
      },
      {
        type: 'object',
        properties: { kind: { const: 'square' }, side: { type: 'number', minimum: 0, maximum: 100 } },
        required: ['kind', 'side'],
        additionalProperties: false,
      },
    ],
  },
  'a value that may be missing': {
    type: 'object',
    properties: {
      owner: { anyOf: [short, { type: 'null' }] },
      count: { type: ['integer', 'null'], minimum: 0, maximum: 9 },
    },
    required: ['owner', 'count'],
    additionalProperties: false,
  },
  'a small tree': {
    $defs: {
      node: {
        type: 'object',
        properties: {
          name: { type: 'string', maxLength: 8 },
          children: { type: 'array', maxItems: 1, items: { $ref: '#/$defs/node' } },
        },
        required: ['name'],
        additionalProperties: false,
      },
    },
    $ref: '#/$defs/node',
  },
  'a point': {
    type: 'array',
    prefixItems: [
      { type: 'number', minimum: -90, maximum: 90 },
      { type: 'number', minimum: -180, maximum: 180 },
    ],
    items: false,
    minItems: 2,
  },
  'a moment': {
    type: 'object',
    properties: { at: { type: 'string', format: 'date-time' }, id: { type: 'string', format: 'uuid' } },
    required: ['at', 'id'],
    additionalProperties: false,
  },
  'what two parents say': {
    allOf: [
      { type: 'object', properties: { a: { type: 'integer', minimum: 1, maximum: 50 } }, required: ['a'] },
      { type: 'object', properties: { b: { type: 'boolean' } }, required: ['b'] },
    ],
  },
  'a map of scores': {
    type: 'object',
    patternProperties: { '^[a-z]{1,8}$': { type: 'integer', minimum: 0, maximum: 10 } },
    additionalProperties: false,
    minProperties: 1,
    maxProperties: 2,
  },
  'a choice that decides': {
    type: 'object',
    properties: { paid: { type: 'boolean' }, receipt: { type: 'string', maxLength: 10 } },
    required: ['paid'],
    additionalProperties: false,
    if: { properties: { paid: { const: true } } },
    // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema.
    then: { required: ['receipt'] },
  },
};
