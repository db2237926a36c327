/** JSON-Schema-Test-Suite, draft 2020-12, without its optional tests: what is compiled is compiled right. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { AppError } from '../../../src/base/errors.ts';
import { type CompileOptions, compileSchema } from '../../../src/language/schema/compile-schema.ts';
import { readGbnf } from '../../support/gbnf.ts';
import { sharedFile } from '../../support/shared-file.ts';

interface Group {
  readonly description: string;
  readonly schema: unknown;
  readonly tests: readonly {
    readonly description: string;
    readonly data: unknown;
    readonly valid: boolean;
  }[];
}

const FOLDER = sharedFile('data/json-schema-test-suite/tests/draft2020-12');
const skip = FOLDER === undefined ? 'the suite does not lie beside the repository' : false;

function readGroups(): [file: string, Group][] {
  const files = readdirSync(FOLDER!).filter((name) => name.endsWith('.json'));
  return files.sort().flatMap((name) => {
    const groups = JSON.parse(readFileSync(join(FOLDER!, name), 'utf8')) as Group[];
    return groups.map((group): [string, Group] => [name.slice(0, -'.json'.length), group]);
  });
}

/** Undefined where the schema is refused; nothing but an `AppError` may be thrown. */
function compiled(schema: unknown, options: CompileOptions): string | undefined {
  try {
    return compileSchema(schema, options).gbnf;
  } catch (thrown) {
    if (thrown instanceof AppError && thrown.code === 'unsupported_schema') return undefined;
    // A grammar without a text: right where every instance of the tests is invalid.
    if (thrown instanceof AppError && /no value satisfies it/.test(thrown.message)) return 'root ::= "!"\n';
    throw thrown;
  }
}

test('every schema of the suite is compiled exactly, or refused', { skip }, (context) => {
  const wrong: string[] = [];
  const counts = new Map<string, { compiled: number; all: number }>();
  for (const [file, { description, schema, tests }] of readGroups()) {
    const count = counts.get(file) ?? { compiled: 0, all: 0 };
    counts.set(file, count);
    count.all += tests.length;
    const gbnf = compiled(schema, { openObjects: true, formats: 'annotation' });
    if (gbnf === undefined) continue;
    count.compiled += tests.length;
    const grammar = readGbnf(gbnf);
    for (const { description: name, data, valid } of tests) {
      if (grammar.acceptsValue(data) !== valid) wrong.push(`${file}: ${description}: ${name}`);
    }
  }
  const sum = (key: 'compiled' | 'all') =>
    [...counts.values()].reduce((total, count) => total + count[key], 0);
  for (const [file, { compiled, all }] of counts) context.diagnostic(`${file}: ${compiled} of ${all}`);
  const share = sum('compiled') / sum('all');
  context.diagnostic(`coverage: ${sum('compiled')} of ${sum('all')} tests, ${(share * 100).toFixed(1)} %`);
  assert.deepEqual(wrong, []);
  assert.ok(share >= 0.85);
});

test('with objects closed no invalid instance of the suite is accepted', { skip }, () => {
  const wrong: string[] = [];
  for (const [file, { description, schema, tests }] of readGroups()) {
    const gbnf = compiled(schema, { formats: 'annotation' });
    if (gbnf === undefined) continue;
    const grammar = readGbnf(gbnf);
    for (const { description: name, data, valid } of tests) {
      if (!valid && grammar.acceptsValue(data)) wrong.push(`${file}: ${description}: ${name}`);
    }
  }
  assert.deepEqual(wrong, []);
});
