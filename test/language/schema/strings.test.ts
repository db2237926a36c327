import assert from 'node:assert/strict';
import test from 'node:test';
import { compileSchema } from '../../../src/language/schema/compile-schema.ts';
import { createValidator } from '../../../src/language/schema/validate-value.ts';
import { readGbnf } from '../../support/gbnf.ts';
import { createDice } from '../../support/random-schemas.ts';

const grammarOf = (schema: unknown) => readGbnf(compileSchema(schema).gbnf);
const compiling = (schema: unknown) => () => compileSchema(schema);

const PATTERNS = [
  'a',
  '^a',
  'a$',
  '^$',
  '',
  '^a*$',
  '^(?:ab|a)*$',
  'a{2,3}',
  '^[^ab]{2}$',
  '^[a-c1-9]+$',
  '\\d',
  '^\\D+$',
  '^\\w\\W$',
  '\\s',
  '^.$',
  '^.{2,}$',
  '(a|b)c?$',
  '^a|b$',
  '(?:^|b)a',
  'a(?:$|b)',
  '^(?=.*a)(?=.*1)[a-z1]+$',
  '^(?!ab)a',
  '(a+)+$',
  '^\\u{1F600}?$',
  '^[\\u0041-\\u005A]',
  '\\p{Lu}',
  '^\\P{L}*$',
  '^[\\w.-]+@\\w+$',
  '^(?<year>\\d{2})$',
  'x*?y',
  '^\\/$',
  '[\\]\\\\-]',
  '^[^]$',
  '\\cJ',
  '\\x41',
  'a^|b',
  '$a|b',
  '^^a$$',
];
const CHARACTERS = [...'aabbc1A.@ é_-\\]/\n"😀xy'];

test('a pattern accepts exactly the strings that its RegExp matches', () => {
  const dice = createDice(1);
  for (const pattern of PATTERNS) {
    const grammar = grammarOf({ type: 'string', pattern });
    const expression = new RegExp(pattern, 'u');
    for (let count = 0; count < 400; count += 1) {
      const text = Array.from({ length: dice.roll(6) }, () => dice.pick(CHARACTERS)).join('');
      assert.equal(
        grammar.acceptsValue(text),
        expression.test(text),
        `${pattern} of ${JSON.stringify(text)}`,
      );
    }
  }
});

test('what is not regular, or too large, is refused by the keyword', () => {
  const refused = [
    '(a)\\1',
    '(?<n>a)\\k<n>',
    '\\ba',
    'a(?=b)',
    '(?<=a)b',
    '(?:a|b)*a(?:a|b){20}',
    '^((a{1,100}){1,100}){1,100}$',
  ];
  for (const pattern of refused) {
    assert.throws(compiling({ pattern }), { code: 'unsupported_schema', message: /at \/pattern: / }, pattern);
  }
  assert.throws(compiling({ pattern: '[' }), {
    code: 'invalid_schema',
    message: /at \/pattern: .*no regular expression/,
  });
});

test('lengths count code points', () => {
  const grammar = grammarOf({ type: 'string', minLength: 2, maxLength: 3 });
  for (const [text, isAccepted] of [
    ['a', false],
    ['😀', false],
    ['😀😀', true],
    ['é"\\', true],
    ['a\n😀b', false],
  ] as const) {
    assert.equal(grammar.acceptsValue(text), isAccepted, text);
  }
});

test('a string is written as JSON.stringify writes it, never with a bare control character', () => {
  const grammar = grammarOf({ type: 'string' });
  const every = Array.from({ length: 0x300 }, (_, code) => String.fromCharCode(code)).join('');
  assert.ok(grammar.acceptsValue(every));
  for (const text of ['"\n"', '"\u0000"', '"\\x"', '"\\u00zz"', '"a', '"""'])
    assert.ok(!grammar.accepts(text), text);
  assert.equal(grammar.mostWays(), 1);
});

test('a maximum length beyond the limit is enforced as the limit', () => {
  const grammar = grammarOf({ type: 'string', maxLength: 1_000_000 });
  assert.ok(grammar.accepts(`"${'a'.repeat(10_000)}"`));
  assert.ok(!grammar.accepts(`"${'a'.repeat(10_001)}"`));
  assert.throws(compiling({ not: { maxLength: 1_000_000 } }), {
    code: 'unsupported_schema',
    message: /at \/not: /,
  });
  assert.throws(compiling({ minLength: 10_001 }), {
    code: 'unsupported_schema',
    message: /at \/minLength: .*10000/,
  });
});

const FORMATS: Readonly<Record<string, readonly string[]>> = {
  date: ['2024-02-29', '1999-12-31'],
  time: ['23:59:59Z', '08:30:00.25+02:00'],
  'date-time': ['2024-02-29T12:00:00Z', '2023-01-31T00:00:00.5-11:30'],
  duration: ['P1Y2M3D', 'PT5M', 'P2W', 'P1DT12H'],
  email: ['ada@example.com', 'a.b+c@mail.example.org'],
  hostname: ['example.com', 'localhost', 'a-b.c1'],
  ipv4: ['127.0.0.1', '255.249.0.10'],
  ipv6: ['::1', '2001:db8:0:0:0:0:2:1', '::', 'fe80::'],
  uri: ['https://example.com/a/b?c=d#e', 'http://localhost:8080'],
  'uri-reference': ['https://example.com/', '/a/b?c'],
  uuid: ['123e4567-e89b-12d3-a456-426614174000'],
  'json-pointer': ['', '/a~1b/0', '//'],
  'relative-json-pointer': ['0#', '1/a', '0'],
  byte: ['', 'YQ==', 'YWI=', 'YWJj'],
  password: ['', 'anything'],
  binary: ['anything'],
};

test('a format accepts what is usual, and derives nothing that ajv refuses', () => {
  const dice = createDice(2);
  for (const [format, usual] of Object.entries(FORMATS)) {
    const grammar = grammarOf({ type: 'string', format });
    const validate = createValidator({ type: 'string', format });
    for (const text of usual) assert.ok(grammar.acceptsValue(text), `${format} ${text}`);
    for (let count = 0; count < 200; count += 1) {
      const text = grammar.derive(dice.roll, 400);
      if (text === undefined) continue;
      assert.equal(validate(JSON.parse(text)), undefined, `${format} of ${text}`);
    }
  }
});

test('a format that is not known, or is negated, is refused', () => {
  assert.throws(compiling({ format: 'colour' }), {
    code: 'unsupported_schema',
    message: /at \/format: "colour"/,
  });
  assert.throws(compiling({ not: { format: 'date' } }), {
    code: 'unsupported_schema',
    message: /at \/not: /,
  });
  assert.ok(readGbnf(compileSchema({ format: 'colour' }, { formats: 'annotation' }).gbnf).accepts('"red"'));
});

test('formats of numbers are bounds', () => {
  const grammar = grammarOf({ format: 'int32' });
  assert.ok(grammar.accepts('-2147483648') && grammar.accepts('2147483647'));
  assert.ok(!grammar.accepts('2147483648') && !grammar.accepts('1.5'));
});
