import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import test from 'node:test';
import { percept } from '../support/percept.ts';
import { temporaryFolder } from '../support/temporary.ts';

test('ONNX Runtime keeps no record for reports to its makers', async (context) => {
  const home = await temporaryFolder(context);
  const { run } = await percept(context, {
    HOME: home,
    XDG_CACHE_HOME: undefined,
    ORT_DISABLE_TELEMETRY: undefined,
  });
  // It runs a graph in this process; models run in processes that inherit its environment.
  const { stdout } = await run('doctor');
  assert.match(stdout, /ok +ONNX Runtime/);
  assert.deepEqual(await readdir(home), []);
});
