import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { finish, install } from '../../src/install/install.ts';
import { serviceNamed } from '../../src/install/services.ts';
import { uninstall } from '../../src/install/uninstall.ts';
import { temporaryFolder } from '../support/temporary.ts';
import {
  installOptions,
  type SmallInstallation,
  smallInstallation,
  treeOf,
  write,
} from './small-installation.ts';

const CHILD = fileURLToPath(new URL('./dying-process.js', import.meta.url));
/** Trees that are worked on at a time. */
const ABREAST = 4;

interface Case {
  readonly what: 'install' | 'uninstall' | 'purge';
  readonly program: SmallInstallation;
  /** What lies there before. */
  readonly begin: string;
  /** A complete run in this process. */
  readonly complete: (root: string) => Promise<unknown>;
  readonly leastDeaths: number;
}

test('a first installation that is killed before any of its changes is completed by the next run', async (t) => {
  const folder = await temporaryFolder(t);
  const program = await smallInstallation(folder);
  const begin = join(folder, 'empty');
  await mkdir(begin);
  await dieEverywhere(t, { what: 'install', program, begin, complete: installer(program), leastDeaths: 40 });
});

test('so is an upgrade with a changed configuration, which must restart the service', async (t) => {
  const folder = await temporaryFolder(t);
  const old = await smallInstallation(folder, '1.0.0');
  const program = await smallInstallation(folder, '2.0.0');
  const begin = join(folder, 'old');
  await installer(old)(begin);
  await write(begin, { 'etc/hailo/hailo-clip.yaml': 'server:\n  port: 5050\n' });
  await dieEverywhere(t, { what: 'install', program, begin, complete: installer(program), leastDeaths: 12 });
});

test('a restart that was due when the installation died is not forgotten', async (t) => {
  const folder = await temporaryFolder(t);
  const program = await smallInstallation(folder);
  const root = join(folder, 'root');
  await installer(program)(root);
  await write(root, { 'etc/hailo/hailo-clip.yaml': 'server:\n  port: 5050\n' });
  // Everything but what follows the restart.
  assert.equal((await install(installOptions(program, root))).mustRestart, true);
  const again = await install(installOptions(program, root));
  assert.deepEqual([again.isUnchanged, again.mustRestart], [true, true]);
  await finish(again);
  assert.equal((await install(installOptions(program, root))).mustRestart, false);
});

for (const what of ['uninstall', 'purge'] as const) {
  test(`${what}: killed before any of its changes, it is completed by the next run`, async (t) => {
    const folder = await temporaryFolder(t);
    const program = await smallInstallation(folder);
    const begin = join(folder, 'installed');
    await installer(program)(begin);
    const service = serviceNamed('hailo-clip');
    const complete = (root: string) => uninstall({ service, root, purge: what === 'purge' });
    await dieEverywhere(t, { what, program, begin, complete, leastDeaths: 8 });
  });
}

function installer(program: SmallInstallation): (root: string) => Promise<void> {
  return async (root) => finish(await install(installOptions(program, root)));
}

/** Dies before change 0, 1, 2 and so on, each in a tree of its own, until a run has no change of that number. */
async function dieEverywhere(
  t: TestContext,
  { what, program, begin, complete, leastDeaths }: Case,
): Promise<void> {
  const folder = await temporaryFolder(t);
  const whole = join(folder, 'whole');
  await cp(begin, whole, COPY);
  await complete(whole);
  const expected = await treeOf(whole);
  let next = 0;
  let deaths = 0;
  let isOver = false;
  const work = async () => {
    while (!isOver) {
      const count = next;
      next += 1;
      const root = join(folder, String(count));
      await cp(begin, root, COPY);
      const hasDied = await dies([what, root, program.source, program.node, String(count)]);
      if (!hasDied) isOver = true;
      else deaths += 1;
      await complete(root);
      assert.deepEqual(await treeOf(root), expected, `killed before change ${count}`);
      await rm(root, { recursive: true });
    }
  };
  await Promise.all(Array.from({ length: ABREAST }, work));
  assert.ok(deaths >= leastDeaths, `it died ${deaths} times`);
}

/** Links are kept as they are, not made absolute. */
const COPY = { recursive: true, verbatimSymlinks: true } as const;

function dies(words: readonly string[]): Promise<boolean> {
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [CHILD, ...words], (error, _stdout, stderr) => {
      if (error === null) resolve(false);
      else if (error.signal === 'SIGKILL') resolve(true);
      else reject(new Error(stderr));
    });
  });
}
