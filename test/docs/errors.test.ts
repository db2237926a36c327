import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { ERROR_CODES } from '../../src/base/errors.ts';
import { EXIT_CODES } from '../../src/cli/exit-codes.ts';
import { ERROR_STATUS } from '../../src/server/error-status.ts';
import { OWN_SOURCES, readSources } from '../support/imports.ts';

/** One row of the table in docs/errors.md, cells as they are written. */
interface Row {
  readonly code: string;
  readonly status: number;
  readonly type: string;
  readonly exit: number;
  readonly when: string;
  readonly remedy: string;
}

/** Where codes are listed or mapped, not made. */
const TABLES = ['base/errors.ts', 'server/error-status.ts', 'cli/exit-codes.ts'];

async function documented(): Promise<Row[]> {
  const page = await readFile(new URL('../../../docs/errors.md', import.meta.url), 'utf8');
  const rows = [...page.matchAll(/^\| `(\w+)` \|(.*)\|$/gm)];
  return rows.map(([, code, rest]) => {
    const [status, type, exit, when, remedy] = rest!.split('|').map((cell) => cell.trim());
    return {
      code: code!,
      status: Number(status),
      type: type!,
      exit: Number(exit),
      when: when!,
      remedy: remedy!,
    };
  });
}

test('every error code is documented once, in the order of the list, and no other', async () => {
  const codes = (await documented()).map((row) => row.code);
  assert.deepEqual(codes, [...ERROR_CODES]);
});

test('the documented status and type are those that the server answers', async () => {
  const table = Object.fromEntries(
    (await documented()).map(({ code, status, type }) => [code, { status, type }]),
  );
  assert.deepEqual(table, ERROR_STATUS);
});

test('every documented error says when it comes and what to do', async () => {
  for (const { code, when, remedy } of await documented()) {
    assert.ok(when.length > 10 && remedy.length > 5, code);
  }
});

test('every error code is made somewhere', async () => {
  const files = (await readSources(fileURLToPath(OWN_SOURCES))).filter(({ path }) => !TABLES.includes(path));
  const unused = ERROR_CODES.filter((code) => {
    const use = new RegExp(`'${code}'|\\bEXIT_CODES\\.${code}\\b`);
    return !files.some((file) => use.test(file.code));
  });
  assert.deepEqual(unused, []);
});

test('the documented exit code is that of the command line', async () => {
  const table = Object.fromEntries((await documented()).map(({ code, exit }) => [code, exit]));
  assert.deepEqual(table, EXIT_CODES);
});
