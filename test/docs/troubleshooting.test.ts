import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import test from 'node:test';
import { FINDING_IDS } from '../../src/install/findings.ts';

const PAGE = new URL('../../../docs/troubleshooting.md', import.meta.url);

test('every finding of an installation or a check has its row, and every row is one', async () => {
  const page = await readFile(PAGE, 'utf8');
  const rows = [...page.matchAll(/^\| `([a-z-]+)` \| (?:warn|fail) \|/gm)].map(([, id]) => id!);
  assert.deepEqual([...rows].sort(), [...FINDING_IDS].sort());
});
