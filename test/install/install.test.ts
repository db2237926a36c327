import assert from 'node:assert/strict';
import { chmod, mkdir, readdir, readFile, readlink, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { finish, install, type Outcome } from '../../src/install/install.ts';
import { serviceNamed } from '../../src/install/services.ts';
import { hashOf } from '../../src/install/settings.ts';
import { templateOf } from '../../src/install/template.ts';
import { uninstall } from '../../src/install/uninstall.ts';
import { temporaryFolder } from '../support/temporary.ts';
import {
  installOptions,
  type SmallInstallation,
  smallInstallation,
  treeOf,
  write,
} from './small-installation.ts';

const YAML = 'etc/hailo/hailo-clip.yaml';
const JSON_FILE = 'etc/xdg/hailo-clip/hailo-clip.json';
const LIMITS = 'etc/systemd/system/hailo-clip.service.d/10-limits.conf';

interface Place {
  readonly root: string;
  readonly program: SmallInstallation;
  readonly folder: string;
  run(program?: SmallInstallation): Promise<readonly Outcome[]>;
}

async function place(t: TestContext): Promise<Place> {
  const folder = await temporaryFolder(t);
  const program = await smallInstallation(folder);
  const root = join(folder, 'root');
  return {
    root,
    program,
    folder,
    async run(other = program) {
      const outcomes: Outcome[] = [];
      await finish(
        await install({ ...installOptions(other, root), onOutcome: (outcome) => outcomes.push(outcome) }),
      );
      return outcomes;
    },
  };
}

test('an installation has its parts where the contract says, and no part more', async (t) => {
  const { root, run } = await place(t);
  await run();
  const tree = await treeOf(root);
  const release = (await readdir(join(root, 'opt/hailo-clip/releases')))[0]!;
  assert.match(release, /^1\.0\.0-[0-9a-f]{12}$/);
  const files = Object.keys(tree).filter((path) => !tree[path]!.startsWith('folder'));
  assert.deepEqual(
    files,
    [
      YAML,
      'etc/systemd/system/hailo-clip.service',
      LIMITS,
      'etc/systemd/system/multi-user.target.wants/hailo-clip.service',
      'etc/sysusers.d/hailo-clip.conf',
      'etc/tmpfiles.d/hailo-clip.conf',
      JSON_FILE,
      'opt/hailo-clip/bin/node',
      'opt/hailo-clip/current',
      'opt/hailo-clip/installed.json',
      ...[
        'dist/src/main.js',
        'docs/configuration.md',
        'models/toy/model.bin',
        'node_modules/alpha/index.js',
        'node_modules/alpha/package.json',
        'node_modules/beta/package.json',
        'node_modules/other/package.json',
        'package.json',
      ].map((path) => `opt/hailo-clip/releases/${release}/${path}`),
      'var/lib/hailo-clip/models',
      'var/lib/hailo-clip/resources/models/toy',
    ].sort(),
  );
  assert.equal(await readlink(join(root, 'opt/hailo-clip/current')), `releases/${release}`);
  assert.match(tree['var/lib/hailo-clip']!, /^folder 750 /);
  assert.match(tree['var/lib/hailo-clip/cache']!, /^folder 750 /);
  assert.match(tree[YAML]!, /^640 /);
  assert.match(tree[JSON_FILE]!, /^640 /);
  assert.match(tree['etc/systemd/system/hailo-clip.service']!, /^644 /);
  assert.equal(
    tree['etc/systemd/system/multi-user.target.wants/hailo-clip.service'],
    '-> ../hailo-clip.service',
  );
  assert.equal(tree['var/lib/hailo-clip/models'], '-> resources/models');
});

test('the service reads what the YAML says, and the profile and data directory that are fixed', async (t) => {
  const { root, run } = await place(t);
  await run();
  assert.deepEqual(JSON.parse(await readFile(join(root, JSON_FILE), 'utf8')), {
    profile: 'hailo-clip',
    home: '/var/lib/hailo-clip',
    server: { host: '127.0.0.1', port: 5000 },
    models: { vision: 'clip-vit-b-32', keep_alive: -1 },
    vision: { logit_scale: null },
    service: { memory_max_bytes: 3221225472 },
  });
});

for (const name of ['hailo-whisper', 'hailo-clip', 'percept'] as const) {
  test(`${name}: a second run changes nothing`, async (t) => {
    const folder = await temporaryFolder(t);
    const program = await smallInstallation(folder);
    const root = join(folder, 'root');
    await finish(await install(installOptions(program, root, name)));
    const before = await treeOf(root);
    const again = await install(installOptions(program, root, name));
    await finish(again);
    assert.deepEqual([again.isUnchanged, again.mustRestart], [true, false]);
    assert.deepEqual(await treeOf(root), before);
  });
}

test('whatever the umask, the service can reach its program, and others not its keys', async (t) => {
  const { root, run } = await place(t);
  await run();
  const usual = await treeOf(root);
  await rm(root, { recursive: true });
  const before = process.umask(0o077);
  try {
    await run();
  } finally {
    process.umask(before);
  }
  const strict = await treeOf(root);
  assert.deepEqual(strict, usual);
});

test('an edited configuration is kept and taken over', async (t) => {
  const { root, run } = await place(t);
  await run();
  const text = 'server:\n  port: 5050\nmodels:\n  vision: clip-shapes\n';
  await write(root, { [YAML]: text });
  const changed = (await run()).filter(({ change }) => change === 'changed' || change === 'removed');
  assert.deepEqual(
    changed.map(({ change, path }) => `${change} ${path}`),
    [`changed /${JSON_FILE}`, `removed /${LIMITS}`],
  );
  assert.equal(await readFile(join(root, YAML), 'utf8'), text);
  assert.match(await readFile(join(root, JSON_FILE), 'utf8'), /"port": 5050/);
});

test('a configuration that nobody edited follows the template of a new version', async (t) => {
  const { root, run } = await place(t);
  await run();
  const older = 'server:\n  port: 5001\n';
  const record = join(root, 'opt/hailo-clip/installed.json');
  const known = JSON.parse(await readFile(record, 'utf8')) as { templates: string[] };
  await writeFile(record, JSON.stringify({ ...known, templates: [hashOf(older)] }));
  await write(root, { [YAML]: older });
  await run();
  assert.equal(await readFile(join(root, YAML), 'utf8'), templateOf(serviceNamed('hailo-clip')));
});

test('a configuration that was there before is the operator’s, and loses the eyes of others if it holds keys', async (t) => {
  const { root, run } = await place(t);
  const text = 'server:\n  api_keys: [one-of-ours]\n';
  await write(root, { [YAML]: text });
  await run();
  assert.equal(await readFile(join(root, YAML), 'utf8'), text);
  assert.equal((await stat(join(root, YAML))).mode & 0o777, 0o640);
});

test('a configuration that cannot be used is refused by its key before anything is changed', async (t) => {
  const { root, run } = await place(t);
  for (const [text, message] of [
    [
      'server:\n  prot: 5050\n',
      /^Unknown configuration key server\.prot \(\/etc\/hailo\/hailo-clip\.yaml\)\. Did you mean server\.port or/,
    ],
    ['server:\n  port: much\n', /^server\.port \(\/etc\/hailo\/hailo-clip\.yaml\): expected whole number/],
    ['server: [\n', /^\/etc\/hailo\/hailo-clip\.yaml is not valid YAML: /],
    [
      'profile: all\n',
      /^profile \(\/etc\/hailo\/hailo-clip\.yaml\): the service hailo-clip has hailo-clip, got "all"\. Remove the line\.$/,
    ],
    ['home: /srv/clip\n', /mount it at \/var\/lib\/hailo-clip\.$/],
  ] as const) {
    await write(root, { [YAML]: text });
    const before = await treeOf(root);
    await assert.rejects(run(), { name: 'AppError', code: 'invalid_config', message });
    assert.deepEqual(await treeOf(root), before);
  }
});

test('a dry run says what would be and changes nothing', async (t) => {
  const { root, program } = await place(t);
  await mkdir(root);
  const outcomes: Outcome[] = [];
  await install({
    ...installOptions(program, root),
    isDryRun: true,
    onOutcome: (outcome) => outcomes.push(outcome),
  });
  assert.deepEqual(await readdir(root), []);
  assert.ok(outcomes.some(({ change, path }) => change === 'made' && path === `/${JSON_FILE}`));
});

test('a new version takes the place of the old one, which goes', async (t) => {
  const { root, folder, run } = await place(t);
  await run();
  await run(await smallInstallation(folder, '2.0.0'));
  const releases = await readdir(join(root, 'opt/hailo-clip/releases'));
  assert.equal(releases.length, 1);
  assert.match(releases[0]!, /^2\.0\.0-/);
  const main = join(root, 'opt/hailo-clip/current/dist/src/main.js');
  assert.equal(await readFile(main, 'utf8'), 'console.log("2.0.0");\n');
});

test('an operator’s own drop-in is never touched', async (t) => {
  const { root, run } = await place(t);
  await run();
  const own = 'etc/systemd/system/hailo-clip.service.d/override.conf';
  await write(root, { [own]: '[Service]\nMemoryMax=5G\n' });
  await run();
  await uninstall({ service: serviceNamed('hailo-clip'), root, purge: false });
  assert.equal(await readFile(join(root, own), 'utf8'), '[Service]\nMemoryMax=5G\n');
});

test('what was damaged is put right: rights, contents, a link that leads elsewhere', async (t) => {
  const { root, run } = await place(t);
  await run();
  const whole = await treeOf(root);
  await chmod(join(root, JSON_FILE), 0o644);
  await chmod(join(root, 'var/lib/hailo-clip'), 0o777);
  await write(root, { 'etc/systemd/system/hailo-clip.service': '[Service]\nExecStart=/bin/true\n' });
  await rm(join(root, 'opt/hailo-clip/current'));
  await run();
  assert.deepEqual(await treeOf(root), whole);
});

test('a file where a directory belongs is an error that says what to do', async (t) => {
  const { root, run } = await place(t);
  await write(root, { 'var/lib/hailo-clip': 'not a directory' });
  await assert.rejects(run(), {
    code: 'not_runnable',
    message: /var\/lib\/hailo-clip is expected to be a directory/,
  });
});

test('two installations of one service do not meet', async (t) => {
  const { run } = await place(t);
  const [first, second] = await Promise.allSettled([run(), run()]);
  assert.deepEqual([first.status, second.status].sort(), ['fulfilled', 'rejected']);
  const refused = first.status === 'rejected' ? first : (second as PromiseRejectedResult);
  assert.match(String(refused.reason), /Another installation of hailo-clip is under way/);
});

test('a program that is not built, or lacks a package, is not installed', async (t) => {
  const { program, root, run } = await place(t);
  await rm(join(program.source, 'node_modules/beta'), { recursive: true });
  await assert.rejects(run(), {
    message:
      /^The package beta, which node_modules\/alpha needs, is not installed in .* Run `npm ci` there first\.$/,
  });
  await rm(join(program.source, 'dist/src'), { recursive: true });
  await assert.rejects(run(), {
    message: /there is no built program to install\. Run `npm ci && npm run build`/,
  });
  await assert.rejects(stat(root));
});

test('uninstall leaves data and an edited configuration; --purge nothing', async (t) => {
  const { root, run } = await place(t);
  const service = serviceNamed('hailo-clip');
  await run();
  await uninstall({ service, root, purge: false });
  assert.deepEqual(await leftIn(root), [
    'var/lib/hailo-clip/models',
    'var/lib/hailo-clip/resources/models/toy',
  ]);
  await write(root, { [YAML]: 'server:\n  port: 5050\n' });
  await run();
  await uninstall({ service, root, purge: false });
  assert.ok((await leftIn(root)).includes(YAML));
  await uninstall({ service, root, purge: true });
  assert.deepEqual(await leftIn(root), []);
  assert.deepEqual(await uninstall({ service, root, purge: true }), []);
  // Folders of the system are not ours to remove.
  const folders = await readdir(join(root, 'etc'));
  assert.deepEqual(folders.sort(), ['systemd', 'sysusers.d', 'tmpfiles.d', 'xdg']);
});

async function leftIn(root: string): Promise<string[]> {
  const tree = await treeOf(root);
  return Object.keys(tree).filter((path) => !tree[path]!.startsWith('folder'));
}
