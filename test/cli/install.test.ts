import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { realpathSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { treeOf, write } from '../install/small-installation.ts';
import { percept } from '../support/percept.ts';
import { temporaryFolder } from '../support/temporary.ts';

const NAME = 'hailo-clip';

test('Percept itself is installed into a tree, changed, verified, damaged and removed', async (t) => {
  const root = await temporaryFolder(t);
  const { run } = await percept(t);
  const yaml = (text: string) => write(root, { [`etc/hailo/${NAME}.yaml`]: text });
  // An image with Node.js where this machine has it needs no copy.
  await write(root, { [realpathSync(process.execPath).slice(1)]: '' });
  await yaml('offline: true\n');

  const planned = await run('install', NAME, '--root', root, '--dry-run');
  assert.match(planned.stdout, /^would make {3}\/opt\/hailo-clip$/m);
  assert.deepEqual((await readdir(root)).includes('opt'), false);

  // Without a network the model is left to later.
  const first = await run('install', NAME, '--root', root);
  assert.equal(first.code, 0, first.stderr);
  assert.match(first.stdout, /^skipped {6}\/etc\/hailo\/hailo-clip\.yaml \(edited: kept as it is\)$/m);
  assert.match(
    first.stdout,
    /^warn +clip-vit-b-32 could not be pulled\. The command: percept install hailo-clip --root /m,
  );
  assert.match(first.stderr, /offline/);
  assert.match(
    first.stdout,
    /^hailo-clip is installed in .*; it starts when that system does, on http:\/\/127\.0\.0\.1:5000\.$/m,
  );
  const lacking = await run('verify', NAME, '--root', root);
  assert.equal(lacking.code, 1);
  assert.match(lacking.stdout, /^fail {2}model .*\[model-missing\]$/m);

  // The toy comes with Percept.
  await yaml('models:\n  vision: clip-shapes\n');
  const second = await run('install', NAME, '--root', root);
  assert.match(second.stdout, /^made {9}model clip-shapes$/m);
  assert.match(second.stdout, /^changed {6}\/etc\/xdg\/hailo-clip\/hailo-clip\.json$/m);
  const before = await treeOf(join(root, 'etc'));
  const third = await run('install', NAME, '--root', root, '--json');
  const report = JSON.parse(third.stdout) as {
    unchanged: boolean;
    state: string;
    steps: { change: string }[];
  };
  assert.deepEqual([report.unchanged, report.state], [true, 'image']);
  assert.ok(report.steps.every(({ change }) => change === 'kept' || change === 'skipped'));
  assert.deepEqual(await treeOf(join(root, 'etc')), before);

  const main = join(root, 'opt/hailo-clip/current/dist/src/main.js');
  assert.match(
    execFileSync(process.execPath, [main, '--version'], { encoding: 'utf8' }),
    /^\d+\.\d+\.\d+\n$/,
  );
  const checked = await run('verify', NAME, '--root', root);
  assert.equal(checked.code, 0, checked.stdout);
  assert.match(checked.stdout, /^ok {4}model {10}clip-shapes is whole$/m);

  const weights = `var/lib/${NAME}/resources/models/clip-shapes/vocab.json`;
  await write(root, { [weights]: (await readFile(join(root, weights), 'utf8')).replace('"', "'") });
  const damaged = await run('verify', NAME, '--root', root);
  assert.equal(damaged.code, 1);
  assert.match(
    damaged.stdout,
    /^fail {2}model {10}clip-shapes is damaged: clip-shapes: vocab\.json changed on disk /m,
  );

  const removed = await run('uninstall', NAME, '--root', root, '--purge', '--json');
  assert.equal(removed.code, 0, removed.stderr);
  assert.deepEqual(await readdir(join(root, 'opt')), []);
  const gone = await run('verify', NAME, '--root', root, '--json');
  assert.equal(gone.code, 1);
  assert.equal((JSON.parse(gone.stdout) as { checks: { id: string }[] }).checks[0]!.id, 'not-installed');
});

test('a service that nobody knows, and a model that nobody knows, are refused by name', async (t) => {
  const root = await temporaryFolder(t);
  const { run } = await percept(t);
  const service = await run('install', 'hailo-pose', '--root', root);
  assert.equal(service.code, 2);
  assert.match(
    service.stderr,
    /There is no service "hailo-pose"; expected one of hailo-whisper, hailo-clip, percept\./,
  );
  await write(root, { 'etc/hailo/percept.yaml': 'models:\n  speech: whisper-gigantic\n' });
  const model = await run('install', 'percept', '--root', root);
  assert.equal(model.code, 1);
  assert.match(model.stderr, /There is no model "whisper-gigantic"/);
  await write(root, { 'etc/hailo/percept.yaml': 'server:\n  host: 0.0.0.0\n' });
  const open = await run('install', 'percept', '--root', root);
  assert.equal(open.code, 2);
  assert.match(
    open.stderr,
    /server\.host is 0\.0\.0\.0, which other machines can reach, but server\.api_keys is empty/,
  );
  assert.deepEqual(await readdir(root), ['etc']);
});
