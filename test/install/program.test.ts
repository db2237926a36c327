import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { layoutOf } from '../../src/install/layout.ts';
import { chooseNode } from '../../src/install/node-program.ts';
import { productionPackages } from '../../src/install/packages.ts';
import { readProgram } from '../../src/install/program.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { smallInstallation, write } from './small-installation.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

interface Lock {
  readonly packages: Readonly<
    Record<
      string,
      {
        readonly dev?: boolean;
        readonly devOptional?: boolean;
        readonly optional?: boolean;
        readonly peer?: boolean;
      }
    >
  >;
}

test('what Percept itself needs at run time is what its lock file says, without the tools of its makers', async () => {
  const { packages } = JSON.parse(await readFile(join(ROOT, 'package-lock.json'), 'utf8')) as Lock;
  const found = (await productionPackages(ROOT)).map(({ to }) => to);
  const needed = Object.entries(packages).filter(
    ([path, { dev, devOptional, optional, peer }]) =>
      path.startsWith('node_modules/') && !dev && !devOptional && !optional && !peer,
  );
  assert.ok(needed.length > 100, `only ${needed.length} packages`);
  assert.deepEqual(
    needed.map(([path]) => path).filter((path) => !found.includes(path)),
    [],
  );
  assert.deepEqual(
    found.filter((path) => packages[path] === undefined || packages[path].dev),
    [],
  );
});

test('of ONNX Runtime only the libraries of this platform are installed', async () => {
  const { files } = await readProgram(ROOT);
  const libraries = files
    .map(({ to }) => to)
    .filter((path) => /onnxruntime-node\/bin\/.*\.(so|node|dylib|dll)/.test(path));
  assert.ok(libraries.length > 0);
  for (const path of libraries) assert.match(path, new RegExp(`/${process.platform}/${process.arch}/`));
});

test('the source of the bridge comes along, as it is built on the machine of the service', async () => {
  const { files } = await readProgram(ROOT);
  assert.ok(files.some(({ to }) => to === 'native/hailo-bridge/hailo-bridge.cpp'));
});

test('another program has another name: by what it holds, not by when it was built', async (t) => {
  const folder = await temporaryFolder(t);
  const { source } = await smallInstallation(folder);
  const { release } = await readProgram(source);
  await write(source, { 'dist/src/main.js': 'console.log("1.0.0");\n' });
  assert.equal((await readProgram(source)).release, release);
  await write(source, { 'dist/src/main.js': 'console.log("1.0.1");\n' });
  assert.notEqual((await readProgram(source)).release, release);
});

test('packages that lie beside the program, as npm puts them into a flat folder, come below it', async (t) => {
  const folder = await temporaryFolder(t);
  await write(folder, {
    'node_modules/percept/package.json': '{"version":"1.0.0","dependencies":{"alpha":"1"}}',
    'node_modules/percept/dist/src/main.js': '',
    'node_modules/alpha/package.json': '{"version":"1.0.0"}',
  });
  const { files } = await readProgram(join(folder, 'node_modules/percept'));
  assert.ok(files.some(({ to }) => to === 'node_modules/alpha/package.json'));
});

test('a Node.js that the service can reach is used in place, one in a home or temporary folder is copied', async (t) => {
  const layout = layoutOf('percept', undefined);
  assert.equal((await chooseNode(layout, '/bin/sh')).copyOf, undefined);
  const folder = await temporaryFolder(t);
  await write(folder, { node: '#!/bin/sh\n' });
  assert.deepEqual(await chooseNode(layout, join(folder, 'node')), {
    path: '/opt/percept/bin/node',
    copyOf: join(folder, 'node'),
  });
});
