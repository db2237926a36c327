import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { openStore, type StoreOptions } from '../../src/store/store.ts';
import {
  ctranslate2Files,
  importVad,
  pathsBelow,
  storeOptions,
  storeWithVad,
  temporaryFolder,
} from './fixtures.ts';
import { send, startHub } from './servers.ts';

const NAME = 'someone/tiny-whisper';

/** A child that pulls; its output is collected. */
function pullInProcess(
  t: TestContext,
  options: StoreOptions,
): { child: ChildProcess; exit: Promise<unknown[]>; output: () => string } {
  const script = fileURLToPath(new URL('./pull-process.js', import.meta.url));
  const child = spawn(process.execPath, [script, JSON.stringify(options), NAME], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.after(() => child.kill('SIGKILL'));
  let text = '';
  child.stdout?.on('data', (chunk) => {
    text += chunk;
  });
  child.stderr?.on('data', (chunk) => {
    text += chunk;
  });
  // Listened to from the start: it may end before anybody waits for it.
  return { child, exit: once(child, 'exit'), output: () => text };
}

test('two processes that pull one model download it once', async (t) => {
  const hub = await startHub(t, { repositories: { [NAME]: ctranslate2Files(2_000_000) } });
  const { home } = await storeWithVad(t);
  const options = storeOptions(home, { hub: hub.url });
  const both = [pullInProcess(t, options), pullInProcess(t, options)];
  for (const { exit, output } of both) {
    const [code] = await exit;
    assert.equal(code, 0, output());
  }
  assert.equal(hub.content.requests.length, 1);
});

test('after kill -9 in the middle of a pull the next one goes on where it was, and nothing else is left', async (t) => {
  const files = ctranslate2Files(2_000_000);
  let isHolding = true;
  const hub = await startHub(t, {
    repositories: { [NAME]: files },
    deliver: (request, response, content) => {
      if (!isHolding) return send(request, response, content);
      response.writeHead(200, { 'content-length': content.length });
      response.write(content.subarray(0, 1_000_000));
    },
  });
  const home = await temporaryFolder(t);
  const options = storeOptions(home, { hub: hub.url });
  const store = openStore(options);
  t.after(() => store.close());
  await importVad(t, store);
  const { child, exit, output } = pullInProcess(t, options);
  await once(child.stdout!, 'data');
  child.kill('SIGKILL');
  await exit;
  assert.match(output(), /progress/);
  assert.equal(await store.find(NAME), undefined);
  isHolding = false;
  await store.pull(NAME);
  await store.verify(NAME);
  assert.match(hub.content.requests.at(-1)?.headers.range ?? '', /^bytes=[1-9]/);
  const left = await pathsBelow(home);
  assert.ok(!left.some((path) => path.includes('.incoming') || path.includes('.part')), left.join(' '));
});

test('a full disk is said so, with what is needed and free, and nothing half is left', async (t) => {
  let home = '';
  // Registered first, since a folder can be removed only after the unmounting.
  t.after(() => spawnSync('umount', ['-l', home]));
  home = join(await temporaryFolder(t), 'small');
  await mkdir(home);
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=40m', 'tmpfs', home]);
  if (mounted.status !== 0) return t.skip('no permission to mount a small file system');
  let sizeBytes = 30_000_000;
  const repositories = { [NAME]: ctranslate2Files(sizeBytes) };
  const hub = await startHub(t, { repositories });
  const store = openStore(storeOptions(home, { hub: hub.url }));
  t.after(() => store.close());

  await assert.rejects(store.pull(NAME), {
    code: 'disk_full',
    message: /4\d MB needed, 4\d MB free.*percept rm/s,
  });
  assert.equal(hub.content.requests.length, 0, 'known before anything is downloaded');

  // Enough room at the start, taken by somebody else in the middle.
  sizeBytes = 20_000_000;
  const second = await startHub(t, { repositories: { [NAME]: ctranslate2Files(sizeBytes) } });
  const other = openStore(storeOptions(home, { hub: second.url }));
  t.after(() => other.close());
  let isFilled = false;
  const pull = other.pull(NAME, {
    onProgress: ({ file, doneBytes }) => {
      if (isFilled || file !== 'model.bin' || doneBytes === 0) return;
      isFilled = true;
      spawnSync('dd', ['if=/dev/zero', `of=${join(home, 'filler')}`, 'bs=1M', 'count=36']);
    },
  });
  await assert.rejects(pull, { code: 'disk_full' });
  assert.deepEqual(
    (await pathsBelow(home)).filter((path) => !['filler', 'downloads', 'models'].includes(path)),
    [],
  );
});

test('a data directory that cannot be written is named with the remedy', async (t) => {
  const folder = await temporaryFolder(t);
  await writeFile(join(folder, 'file'), '');
  const store = openStore(storeOptions(join(folder, 'file')));
  t.after(() => store.close());
  await assert.rejects(store.pull('tiny'), { code: 'invalid_config', message: /PERCEPT_HOME/ });
});
