import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { ask, findProgram } from '../../src/install/commands.ts';
import { install } from '../../src/install/install.ts';
import { layoutOf } from '../../src/install/layout.ts';
import { SERVICE_NAMES, serviceNamed } from '../../src/install/services.ts';
import { readSettings } from '../../src/install/settings.ts';
import { limitsText, unitText } from '../../src/install/unit.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { installOptions, smallInstallation, write } from './small-installation.ts';

const GOLDEN = new URL('../../../test/fixtures/install/hailo-clip.service', import.meta.url);
/** 0 is the safest, 10 the least safe. */
const MOST_EXPOSED = 2;
const ANALYZE = findProgram('systemd-analyze');
const NO_SYSTEMD = ANALYZE === undefined && 'needs systemd-analyze';

async function unitOf(root: string, yaml: string, deviceGroups: readonly string[] = []): Promise<string> {
  await write(root, { 'etc/hailo/hailo-clip.yaml': yaml });
  const service = serviceNamed('hailo-clip');
  const layout = layoutOf('hailo-clip', root);
  const { config } = await readSettings(service, { layout, templates: [] });
  return unitText({ service, layout, config, node: '/usr/bin/node', deviceGroups });
}

test('the unit of hailo-clip is the one that was read through, directive by directive', async (t) => {
  const unit = await unitOf(await temporaryFolder(t), '', ['hailo']);
  assert.equal(unit, await readFile(GOLDEN, 'utf8'));
});

test('what the configuration asks of the system stands in the unit', async (t) => {
  const root = await temporaryFolder(t);
  const unit = await unitOf(
    root,
    'server:\n  port: 80\n  stop_timeout_seconds: 60\ntasks:\n  directory: "/srv/our 100%/audio"\n',
  );
  assert.match(
    unit,
    /^CapabilityBoundingSet=CAP_NET_BIND_SERVICE\nAmbientCapabilities=CAP_NET_BIND_SERVICE$/m,
  );
  assert.match(unit, /^TimeoutStopSec=65$/m);
  assert.match(unit, /^ReadWritePaths=\/var\/lib\/hailo-clip "\/srv\/our 100%%\/audio"$/m);
});

test('limits come from the configuration, and there is no drop-in without one', async (t) => {
  const root = await temporaryFolder(t);
  const limits = async (yaml: string) => {
    await write(root, { 'etc/hailo/percept.yaml': yaml });
    const layout = layoutOf('percept', root);
    return limitsText(
      (await readSettings(serviceNamed('percept'), { layout, templates: [] })).config,
      'percept',
    );
  };
  assert.match(
    (await limits('service:\n  memory_max_bytes: 1073741824\n  cpu_quota_percent: 150\n'))!,
    /^\[Service\]\nMemoryMax=1073741824\nCPUQuota=150%\n/m,
  );
  assert.equal(await limits('service:\n  memory_max_bytes: null\n'), undefined);
});

for (const name of SERVICE_NAMES) {
  test(`systemd finds no fault with the unit of ${name}, and little exposed`, {
    skip: NO_SYSTEMD,
  }, async (t) => {
    const folder = await temporaryFolder(t);
    const program = await smallInstallation(folder);
    const root = join(folder, 'root');
    await install(installOptions(program, root, name));
    const unit = join(root, `etc/systemd/system/${name}.service`);
    // Its own paths are not on this machine: the program is looked for where it was put.
    const text = (await readFile(unit, 'utf8')).replace(/^ExecStart=\S+/m, 'ExecStart=/bin/sh');
    await write(folder, { [`${name}.service`]: text });
    const { code, output } = await ask(ANALYZE!, ['verify', '--man=no', join(folder, `${name}.service`)]);
    assert.deepEqual([code, output], [0, '']);
    const rating = await ask(ANALYZE!, ['security', '--offline=true', '--no-pager', unit]);
    const exposure = Number(/exposure level for \S+: ([\d.]+)/.exec(rating.output)?.[1]);
    assert.ok(exposure < MOST_EXPOSED, `exposure ${exposure}`);
  });
}
