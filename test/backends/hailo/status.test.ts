import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import test from 'node:test';
import { MEANINGS, statusError } from '../../../src/backends/hailo/status.ts';

const PAGE = new URL('../../../../docs/troubleshooting.md', import.meta.url);

test('every status that Percept knows stands in docs/troubleshooting.md with its remedy, and no other', async () => {
  const page = await readFile(PAGE, 'utf8');
  const documented = page.split('\n').filter((line) => /^\| \d+ \|/.test(line));
  const known = [...MEANINGS].map(
    ([status, { name, remedy }]) => `| ${status} | \`HAILO_${name}\` | ${remedy} |`,
  );
  assert.deepEqual(documented, known);
});

test('a status becomes the code that it stands for, else that of what was being done', () => {
  const context = { doing: 'Trying', code: 'not_runnable', libraryName: undefined } as const;
  const cases = [
    [4, 'timeout'],
    [26, 'unsupported_model'],
    [92, 'unsupported_model'],
    [93, 'unsupported_model'],
    [76, 'not_runnable'],
    [500, 'not_runnable'],
  ] as const;
  for (const [status, code] of cases) assert.equal(statusError(status, context).code, code, String(status));
  assert.equal(
    statusError(76, context).message,
    'Trying failed: Hailo’s library answered HAILO_INVALID_DRIVER_VERSION (76). The library, the kernel driver and the firmware must be of one version: install HailoRT and its driver of the same version, then restart the machine.',
  );
  assert.match(
    statusError(500, { ...context, libraryName: 'HAILO_NEW' }).message,
    /answered HAILO_NEW \(500\)\./,
  );
});
