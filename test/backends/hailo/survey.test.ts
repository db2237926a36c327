import assert from 'node:assert/strict';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { findLibrary } from '../../../src/backends/hailo/library.ts';
import {
  foundOf,
  type HailoSurvey,
  type LibraryReport,
  problemsOf,
  surveyHailo,
} from '../../../src/backends/hailo/survey.ts';
import { compileBridgedStub, compileStub, whyNoBridge, whyNoStub } from '../../support/stub-hailort.ts';
import { temporaryFile, temporaryFolder } from '../../support/temporary.ts';

const skip = whyNoStub();
const VERSION = { major: 4, minor: 23, revision: 0 };
const DEVICE = { firmware: VERSION, board: 'Board', chip: 1, serial: 'S1', product: 'HAILO-8 M.2' };
const LIBRARY: LibraryReport = {
  isInstalled: true,
  path: '/usr/lib/libhailort.so',
  version: VERSION,
  devices: [DEVICE],
  found: 1,
};
const SOUND: HailoSurvey = {
  nodes: [{ path: '/dev/hailo0', isUsable: true }],
  driver: { module: 'hailo_pci', version: '4.23.0' },
  library: LIBRARY,
};
const ABSENT: LibraryReport = { isInstalled: false, path: 'libhailort.so', devices: [], found: 0 };

/** A system with one device and its driver, as far as files tell. */
async function system(t: TestContext, version: string) {
  const folder = await temporaryFolder(t);
  const [dev, modules] = [join(folder, 'dev'), join(folder, 'module')];
  await mkdir(dev);
  await mkdir(join(modules, 'hailo_pci'), { recursive: true });
  await writeFile(join(dev, 'hailo0'), '');
  await writeFile(join(dev, 'hailo_other'), '');
  await writeFile(join(modules, 'hailo_pci', 'version'), `${version}\n`);
  return { dev, modules };
}

test('a device whose parts fit has no problem, and is told in one line', () => {
  assert.deepEqual(problemsOf(SOUND), []);
  assert.equal(
    foundOf(SOUND),
    'hailo8 (HAILO-8 M.2, S1) with firmware 4.23.0, /dev/hailo0, driver hailo_pci 4.23.0, HailoRT 4.23.0 at /usr/lib/libhailort.so',
  );
});

test('each thing that does not fit is told with its remedy', () => {
  const problems = (change: Partial<HailoSurvey>) => problemsOf({ ...SOUND, ...change });
  const device = (change: Partial<typeof DEVICE>) =>
    problems({ library: { ...LIBRARY, devices: [{ ...DEVICE, ...change }] } });
  const cases: [string[], RegExp][] = [
    [
      problems({ nodes: [{ path: '/dev/hailo0', isUsable: false }] }),
      /may not open \/dev\/hailo0: add it to the group/,
    ],
    [
      problems({ driver: { module: 'hailo_pci', version: '4.22.0' } }),
      /library is 4\.23\.0 and the driver 4\.22\.0.*76.*restart/,
    ],
    [device({ firmware: { major: 4, minor: 20, revision: 0 } }), /firmware 4\.20\.0 \(status 16\)/],
    [device({ chip: 6 }), /a hailo10h needs HailoRT 5\.x, and this is 4\.23\.0/],
    [problems({ library: ABSENT }), /HailoRT is not installed/],
    [problems({ library: { ...LIBRARY, devices: [], found: 0 } }), /no device although there is a node/],
    [problems({ nodes: [], driver: undefined }), /no driver is loaded/],
    [problems({ nodes: [] }), /the driver hailo_pci sees no device/],
  ];
  const version = { major: 5, minor: 2, revision: 0 };
  const [tenth] = problems({
    driver: { module: 'hailo1x_pci', version: '5.2.0' },
    library: { ...LIBRARY, version, devices: [{ ...DEVICE, firmware: version, chip: 6 }] },
  });
  assert.match(tenth!, /lets only C\+\+ programs use a hailo10h.*percept hailo-bridge build/);
  for (const [found, expected] of cases) {
    assert.equal(found.length, 1, found.join('\n'));
    assert.match(found[0]!, expected);
  }
  assert.deepEqual(problemsOf({ nodes: [], driver: undefined, library: ABSENT }), []);
});

test('stub survey: device, driver and library are found, and asked without taking the device', {
  skip,
}, async (t) => {
  const stub = await compileStub(t);
  const survey = await surveyHailo({
    library: stub.path,
    env: { ...stub.env, STUB_HAILORT_BUSY: '1' },
    bridges: [],
    timeoutMs: 10_000,
    ...(await system(t, '4.23.0')),
  });
  assert.deepEqual(problemsOf(survey), []);
  assert.match(
    foundOf(survey),
    /^hailo8 \(STUB PRODUCT, STUB0001\) with firmware 4\.23\.0, .*hailo0, driver hailo_pci 4\.23\.0, HailoRT 4\.23\.0 at /,
  );
  assert.deepEqual(
    stub.log().map((line) => line.split(' ')[0]),
    ['hailo_scan_devices', 'hailo_create_device_by_id', 'hailo_release_device'],
  );
});

test('stub survey: a library that hangs, crashes, or is none is told', { skip }, async (t) => {
  const stub = await compileStub(t);
  const places = await system(t, '4.23.0');
  const ask = (library: string, env: Record<string, string> = {}, timeoutMs = 10_000) =>
    surveyHailo({ library, bridges: [], env, timeoutMs, ...places });
  const crashed = await ask(stub.path, { STUB_HAILORT_CRASH: 'hailo_scan_devices' });
  assert.match(problemsOf(crashed)[0]!, /library ended unexpectedly \(SIGSEGV\)/);
  const hung = await ask(stub.path, { STUB_HAILORT_HANG: 'hailo_scan_devices' }, 1500);
  assert.match(problemsOf(hung)[0]!, /did not answer in time/);
  const none = await ask(await temporaryFile(t, 'libhailort.so', Buffer.from('no library')));
  assert.match(
    problemsOf(none)[0]!,
    /libhailort\.so cannot be loaded: .*name its library with hailo\.library$/,
  );
  const old = await ask(stub.path, { STUB_HAILORT_VERSION: '4.10.0' });
  assert.match(problemsOf(old)[0]!, /HailoRT 4\.10\.0 is not supported/);
  const failing = await ask(stub.path, { STUB_HAILORT_FAIL: 'hailo_identify=36' });
  assert.match(problemsOf(failing)[0]!, /HAILO_DRIVER_OPERATION_FAILED \(36\).*\/dev\/hailo0/);
});

test('stub survey: the bridge is loaded as well, and told where a device needs it', {
  skip: whyNoBridge(),
}, async (t) => {
  const stub = await compileBridgedStub(t);
  const modules = await system(t, '5.2.0');
  const ask = (bridges: readonly string[], env: Record<string, string> = {}) =>
    surveyHailo({ library: stub.path, bridges, env: { ...stub.env, ...env }, timeoutMs: 10_000, ...modules });
  const sound = await ask([join(stub.path, 'none'), stub.bridge]);
  assert.deepEqual(problemsOf(sound), []);
  assert.match(foundOf(sound), /^hailo10h .*, HailoRT 5\.2\.0 at .*, bridge at .*stub-bridge\.so$/);
  assert.match(problemsOf(await ask([])).join(), /^HailoRT 5\.2\.0 lets only C\+\+ programs use a hailo10h/);
  const broken = await ask([await temporaryFile(t, 'broken.so', Buffer.from('no library'))]);
  assert.match(problemsOf(broken).join(), /^The bridge to the Hailo device .*broken\.so cannot be loaded/);
  // Another device needs none, so one that is out of date is no flaw.
  const other = await ask([stub.bridge], { STUB_HAILORT_ARCH: '1', STUB_HAILORT_VERSION: '4.23.0' });
  assert.ok(!problemsOf(other).join().includes('bridge'));
  assert.ok(!foundOf(other).includes('bridge'));
});

test('a node that may not be opened is seen', {
  skip: process.getuid?.() === 0 ? 'root may open everything' : false,
}, async (t) => {
  const places = await system(t, '4.23.0');
  await chmod(join(places.dev, 'hailo0'), 0);
  const { nodes } = await surveyHailo({
    library: '/none',
    env: {},
    bridges: [],
    timeoutMs: 10_000,
    ...places,
  });
  assert.deepEqual(nodes, [{ path: join(places.dev, 'hailo0'), isUsable: false }]);
});

test('the library is looked for by its plain name, then by its newest version, then left to the loader', async (t) => {
  const [first, second] = [await temporaryFolder(t), await temporaryFolder(t)];
  const places = [join(first, 'none'), first, second];
  assert.equal(findLibrary(places), 'libhailort.so');
  for (const version of ['4.9.0', '4.23.0', '4.20.1'])
    await writeFile(join(second, `libhailort.so.${version}`), '');
  assert.equal(findLibrary(places), join(second, 'libhailort.so.4.23.0'));
  await writeFile(join(second, 'libhailort.so'), '');
  assert.equal(findLibrary(places), join(second, 'libhailort.so'));
  await writeFile(join(first, 'libhailort.so.4.17.0'), '');
  assert.equal(findLibrary(places), join(first, 'libhailort.so.4.17.0'));
});
