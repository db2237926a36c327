import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import test from 'node:test';
import { findLibrary, isFound } from '../../src/backends/hailo/library.ts';
import { checkHailo } from '../../src/cli/hailo-check.ts';
import { loadConfig } from '../../src/config/load.ts';
import { compileStub, whyNoStub } from '../support/stub-hailort.ts';

const hasHailo = existsSync('/dev/hailo0') || existsSync('/sys/module/hailo_pci') || isFound(findLibrary());
const settings = (env: Record<string, string> = {}) =>
  loadConfig({ env: { HOME: '/', ...env }, flags: {}, cwd: '/' }).config;

test('doctor: without a Hailo device all is well, unless one is asked for', {
  skip: hasHailo ? 'this machine has Hailo parts' : false,
}, async () => {
  assert.deepEqual(await checkHailo(settings()), {
    state: 'ok',
    message: 'no Hailo device; models run on the CPU',
  });
  const asked = await checkHailo(settings({ PERCEPT_PROFILE: 'hailo-clip' }));
  assert.equal(asked.state, 'warn');
  assert.match(asked.message, /^no Hailo device; models run on the CPU\. For a device, install HailoRT/);
  const named = await checkHailo(settings({ PERCEPT_HAILO_LIBRARY: '/none/libhailort.so' }));
  assert.equal(named.state, 'warn');
  assert.match(named.message, /^Hailo’s library \/none\/libhailort\.so cannot be loaded/);
});

test('doctor: with the stub library it says what is missing beside it', {
  skip: whyNoStub() || (hasHailo ? 'this machine has Hailo parts' : false),
}, async (t) => {
  const stub = await compileStub(t);
  const { state, message } = await checkHailo(settings({ PERCEPT_HAILO_LIBRARY: stub.path }));
  assert.equal(state, 'warn');
  assert.match(message, /^no driver is loaded \(hailo_pci\).*\(found: hailo8 \(STUB PRODUCT, STUB0001\)/);
});
