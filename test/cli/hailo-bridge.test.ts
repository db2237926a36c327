import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { register } from '../../src/cli/hailo-bridge.ts';
import { runCommands } from '../support/command-line.ts';
import { compileBridgedStub, STUB_SOURCES, whyNoBridge } from '../support/stub-hailort.ts';
import { temporaryFolder } from '../support/temporary.ts';

test('hailo-bridge build: into the data directory, or where one is told that it is not looked for', {
  skip: whyNoBridge(),
}, async (t) => {
  const stub = await compileBridgedStub(t, { version: '5.2.0' });
  const home = await temporaryFolder(t);
  const percept = await runCommands(t, {
    commands: [register],
    env: { PERCEPT_HOME: home, PERCEPT_HAILO_LIBRARY: stub.path },
  });
  const build = ['hailo-bridge', 'build', '--include', STUB_SOURCES];
  const own = join(home, 'hailo/libpercept-hailo.so');
  const written = await percept(...build);
  assert.equal(written.stdout, `${own}\n`);
  assert.equal(written.stderr, 'Built with c++ for HailoRT 5.2.0.\n');
  assert.ok(existsSync(own));
  const elsewhere = join(home, 'elsewhere.so');
  const other = await percept(...build, '--output', elsewhere);
  assert.match(other.stderr, /It is not looked for there: set hailo\.bridge to .*elsewhere\.so\.\n$/);
  await assert.rejects(percept('hailo-bridge', 'build', '--include', home), {
    code: 'not_runnable',
    message: /headers of HailoRT/,
  });
});
