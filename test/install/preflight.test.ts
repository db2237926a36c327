import assert from 'node:assert/strict';
import { chmod, stat } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { isSystemdRunning } from '../../src/install/commands.ts';
import type { Finding } from '../../src/install/findings.ts';
import { install } from '../../src/install/install.ts';
import { layoutOf } from '../../src/install/layout.ts';
import { type ModelFacts, preflight } from '../../src/install/preflight.ts';
import { type ServiceName, serviceNamed } from '../../src/install/services.ts';
import { readSettings } from '../../src/install/settings.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { installOptions, smallInstallation, toyModels, write } from './small-installation.ts';

interface Asked {
  readonly name?: ServiceName;
  readonly yaml?: string;
  readonly model?: Partial<ModelFacts>;
  readonly programBytes?: number;
  readonly passwd?: string;
}

/** On this machine as it is, but for users and the configuration, which are looked for in a folder. */
async function look(t: TestContext, asked: Asked): Promise<readonly Finding[]> {
  const { name = 'percept', yaml = '', model = {}, programBytes = 0, passwd = '' } = asked;
  const root = await temporaryFolder(t);
  await write(root, { [`etc/hailo/${name}.yaml`]: yaml, 'etc/passwd': passwd });
  const layout = { ...layoutOf(name, root), isLive: true };
  const service = serviceNamed(name);
  const { config } = await readSettings(service, { layout, templates: [] });
  const small = { name: 'toy', memoryBytes: 1e6, downloadBytes: 1e6, isInstalled: false };
  return preflight({ service, layout, config, model: { ...small, ...model }, programBytes });
}

function only(findings: readonly Finding[], id: string): Finding {
  const found = findings.filter((finding) => finding.id === id);
  assert.equal(found.length, 1, `${id} among ${findings.map((finding) => finding.id).join(', ')}`);
  assert.notEqual(found[0]!.remedy, '');
  return found[0]!;
}

/** What depends on the machine that runs the tests, and is no matter of theirs. */
const OF_MACHINE = [
  'no-systemd',
  'not-root',
  'no-hailo-device',
  'no-hailortcli',
  'no-libhailort',
  'hailo-silent',
];

test('a machine that has all it needs is told nothing', async (t) => {
  const found = await look(t, { yaml: 'server:\n  port: 1\n' });
  assert.deepEqual(
    found.map(({ id }) => id).filter((id) => !OF_MACHINE.includes(id)),
    [],
  );
});

test('a machine that systemd does not run gets a warning, and is installed on', {
  skip: isSystemdRunning() && 'systemd runs here',
}, async (t) => {
  assert.equal(only(await look(t, {}), 'no-systemd').state, 'warn');
});

test('without a Hailo device the model that then runs on the CPU is named', async (t) => {
  const found = await look(t, { name: 'hailo-whisper', yaml: 'hailo:\n  library: /nowhere/libhailort.so\n' });
  const device = found.find(({ id }) => id === 'no-hailo-device');
  if (device)
    assert.match(device.message, /^There is no \/dev\/hailo\*: whisper-small-int8, .* runs on the CPU\.$/);
  assert.match(only(found, 'no-libhailort').message, /\(\/nowhere\/libhailort\.so\)/);
  assert.ok(!(await look(t, { name: 'percept' })).some(({ id }) => id === 'no-hailo-device'));
});

test('a port that a program of another user has is a warning; the service’s own program is none', async (t) => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const yaml = `server:\n  port: ${port}\n`;
  const uid = process.getuid!();
  const { state, message } = only(await look(t, { yaml }), 'port-in-use');
  assert.equal(state, 'warn');
  assert.equal(message, `Port ${port} is taken by a program of user ${uid}: the service cannot start.`);
  const own = await look(t, { yaml, passwd: `percept:x:${uid}:${uid}::/:/bin/false\n` });
  assert.ok(!own.some(({ id }) => id === 'port-in-use'));
});

test('a port of 0 is refused', async (t) => {
  assert.equal(only(await look(t, { yaml: 'server:\n  port: 0\n' }), 'port-zero').state, 'fail');
});

test('a model that is larger than the memory, or than its limit, is a warning', async (t) => {
  const low = only(await look(t, { model: { memoryBytes: 1e15 } }), 'low-memory');
  assert.match(low.message, /^[\d.]+ GB of memory are free, and toy needs about 1000000\.3 GB\.$/);
  const yaml = 'service:\n  memory_max_bytes: 536870912\n';
  const limited = only(await look(t, { yaml, model: { memoryBytes: 1e9 } }), 'limit-low');
  assert.equal(limited.message, 'service.memory_max_bytes is 0.5 GB, and toy needs about 1.3 GB.');
  assert.equal(limited.state, 'warn');
});

test('a disk without room for the program is refused, one without room for the model a warning', async (t) => {
  assert.equal(only(await look(t, { programBytes: 1e18 }), 'disk-full').state, 'fail');
  assert.equal(only(await look(t, { model: { downloadBytes: 1e18 } }), 'disk-low').state, 'warn');
  const there = await look(t, { model: { downloadBytes: 1e18, isInstalled: true } });
  assert.ok(!there.some(({ id }) => id === 'disk-low'));
});

test('a path that the service cannot see is named by its key', async (t) => {
  const { message } = only(await look(t, { yaml: 'tasks:\n  directory: /home/ann/audio\n' }), 'path-hidden');
  assert.equal(message, 'tasks.directory is /home/ann/audio, which the service cannot see.');
});

test('a person’s user of the same name is left alone', async (t) => {
  const found = await look(t, { passwd: 'percept:x:1000:1000::/home/percept:/bin/bash\n' });
  assert.equal(only(found, 'user-taken').state, 'fail');
});

test('an image is not the machine that it will run on: only its disk and its paths are looked at', async (t) => {
  const folder = await temporaryFolder(t);
  const program = await smallInstallation(folder);
  const large = { name: 'toy', memoryBytes: 1e15, downloadBytes: 1e18, isInstalled: false };
  const found: Finding[] = [];
  await install({
    ...installOptions(program, join(folder, 'root'), 'hailo-whisper'),
    models: { ...toyModels, look: async () => large },
    onFinding: (finding) => found.push(finding),
  });
  assert.deepEqual(
    found.map(({ id, state }) => `${state} ${id}`),
    ['warn disk-low'],
  );
});

test('whoever makes an image without being root is told whose its files are', {
  skip: process.getuid?.() !== 0 && 'needs root to become another user',
}, async (t) => {
  const folder = await temporaryFolder(t);
  const program = await smallInstallation(folder);
  await chmod(folder, 0o777);
  const found: Finding[] = [];
  process.seteuid!(65_534);
  try {
    await install({
      ...installOptions(program, join(folder, 'root')),
      onFinding: (finding) => found.push(finding),
    });
  } finally {
    process.seteuid!(0);
  }
  assert.match(
    only(found, 'image-owner').message,
    /^The files in .* will belong to the user 65534, not to root\.$/,
  );
  assert.equal((await stat(join(folder, 'root/opt/hailo-clip'))).uid, 65_534);
});
