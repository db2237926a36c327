import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { type BuildOptions, buildBridge } from '../../../src/backends/hailo/build-bridge.ts';
import { readEnvironment } from '../../../src/config/environment.ts';
import { compileBridgedStub, compileStub, STUB_SOURCES, whyNoBridge } from '../../support/stub-hailort.ts';
import { temporaryFile, temporaryFolder } from '../../support/temporary.ts';

const skip = whyNoBridge();

/** Against the stub of HailoRT, whose headers lie beside its source. */
async function builder(t: TestContext) {
  const stub = await compileBridgedStub(t);
  const output = join(await temporaryFolder(t), 'deep/down/bridge.so');
  const build = (change: Partial<BuildOptions> = {}) =>
    buildBridge({
      output,
      include: STUB_SOURCES,
      library: stub.path,
      env: { ...readEnvironment(), ...stub.env },
      signal: t.signal,
      ...change,
    });
  return { stub, output, build };
}

const refusal = (message: RegExp) => ({ code: 'not_runnable', message });

test('the bridge is built, loaded once, and put in its place alone', { skip }, async (t) => {
  const { output, build } = await builder(t);
  const built = await build();
  assert.deepEqual(built, {
    path: output,
    compiler: 'c++',
    version: { major: 5, minor: 2, revision: 0 },
  });
  assert.deepEqual(await readdir(join(output, '..')), ['bridge.so']);
  const named = await build({ env: { ...readEnvironment(), CXX: 'c++ -g0', STUB_HAILORT_VERSION: '5.0.1' } });
  assert.deepEqual([named.compiler, named.version.minor], ['c++ -g0', 0]);
});

test('what is missing is told with what to install', { skip }, async (t) => {
  const { build } = await builder(t);
  const env = readEnvironment();
  await assert.rejects(
    build({ env: { ...env, PATH: '/none', CXX: '' } }),
    refusal(/^There is no C\+\+ compiler \(c\+\+, g\+\+, clang\+\+\)\. .*sudo apt install g\+\+\.$/),
  );
  await assert.rejects(build({ env: { ...env, CXX: '/none/c++' } }), refusal(/CXX is \/none\/c\+\+/));
  await assert.rejects(
    build({ library: '/none/libhailort.so' }),
    refusal(
      /^HailoRT is needed to build the bridge.*\/none\/libhailort\.so.*sudo apt install hailo-h10-all\.$/,
    ),
  );
  await assert.rejects(
    build({ include: '/none' }),
    refusal(/^The headers of HailoRT \(hailo\/infer_model\.hpp\) are not in \/none\. .*--include/),
  );
});

test('the headers beside the library are found', { skip }, async (t) => {
  const { stub, build } = await builder(t);
  const tree = await temporaryFolder(t);
  await mkdir(join(tree, 'lib'));
  await mkdir(join(tree, 'include/hailo'), { recursive: true });
  const library = join(tree, 'lib/libhailort.so');
  await writeFile(library, await readFile(stub.path));
  for (const name of await readdir(join(STUB_SOURCES, 'hailo')))
    await writeFile(join(tree, 'include/hailo', name), await readFile(join(STUB_SOURCES, 'hailo', name)));
  assert.equal((await build({ include: undefined, library })).version.major, 5);
});

test('what cannot be compiled, linked or loaded leaves the bridge that was there', { skip }, async (t) => {
  const { stub, output, build } = await builder(t);
  await mkdir(join(output, '..'), { recursive: true });
  await writeFile(output, 'the old one');
  const headers = await temporaryFolder(t);
  await mkdir(join(headers, 'hailo'));
  for (const name of ['infer_model.hpp', 'vdevice.hpp'])
    await writeFile(join(headers, 'hailo', name), '#error of another world\n');
  await assert.rejects(
    build({ include: headers }),
    refusal(/^c\+\+ cannot build the bridge against HailoRT 5\.2\.0.*of another world/),
  );
  const withoutClasses = await compileStub(t);
  await assert.rejects(
    build({ library: withoutClasses.path }),
    refusal(/cannot build the bridge.*undefined reference to .*hailort::/),
  );
  // A compiler that writes something else.
  const compiler = await temporaryFile(t, 'compiler.sh', Buffer.alloc(0));
  await writeFile(
    compiler,
    '#!/bin/sh\ncase "$1" in --version) exit 0;; esac\nwhile [ "$1" != -o ]; do shift; done\necho "no library" > "$2"\n',
    { mode: 0o755 },
  );
  await assert.rejects(
    build({ env: { ...readEnvironment(), ...stub.env, CXX: `sh ${compiler}` } }),
    refusal(/^The bridge was built, and cannot be loaded: /),
  );
  assert.equal(await readFile(output, 'utf8'), 'the old one');
  assert.deepEqual(await readdir(join(output, '..')), ['bridge.so']);
});

test('a place that cannot be written is told, and a build is ended by its signal', { skip }, async (t) => {
  const { build } = await builder(t);
  const file = await temporaryFile(t, 'file', Buffer.from('x'));
  await assert.rejects(
    build({ output: join(file, 'bridge.so') }),
    refusal(/^The bridge cannot be written to .* \(ENOTDIR|EEXIST\)\. Choose another place with --output/),
  );
  await assert.rejects(build({ signal: AbortSignal.abort() }), { name: 'AbortError' });
});
