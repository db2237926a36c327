import assert from 'node:assert/strict';
import { mkdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { openStore } from '../../src/store/store.ts';
import {
  ctranslate2Files,
  huggingFaceFiles,
  importVad,
  onnx,
  pathsBelow,
  storeOptions,
  storeWithVad,
  temporaryFolder,
  writeFiles,
} from './fixtures.ts';
import { send, startHub } from './servers.ts';

const NAME = 'someone/tiny-whisper';

test('two who pull one model share one download, and one who leaves does not end it for the other', async (t) => {
  const hub = await startHub(t, { repositories: { [NAME]: ctranslate2Files() } });
  const { store } = await storeWithVad(t, { hub: hub.url });
  const controller = new AbortController();
  const leaves = store.pull(NAME, { signal: controller.signal, onProgress: () => controller.abort() });
  const stays = store.pull(NAME);
  await assert.rejects(leaves, { code: 'cancelled' });
  assert.equal((await stays).manifest.name, NAME);
  assert.equal(hub.content.requests.length, 1);
});

test('an asker that comes after everybody left starts a download of its own', async (t) => {
  let isSlow = true;
  const hub = await startHub(t, {
    repositories: { [NAME]: ctranslate2Files() },
    deliver: (request, response, content) => {
      if (!isSlow) return send(request, response, content);
      response.writeHead(200, { 'content-length': content.length });
      response.write(content.subarray(0, 10));
    },
  });
  const { store } = await storeWithVad(t, { hub: hub.url });
  const controller = new AbortController();
  const first = store.pull(NAME, {
    signal: controller.signal,
    onProgress: ({ file, doneBytes }) => file === 'model.bin' && doneBytes > 0 && controller.abort(),
  });
  await assert.rejects(first, { code: 'cancelled' });
  isSlow = false;
  await store.pull(NAME);
  assert.ok(await store.find(NAME));
});

test('a CTranslate2 directory is imported under a catalogue name, and files beside the model are left out', async (t) => {
  const store = openStore(storeOptions(await temporaryFolder(t)));
  const files = ctranslate2Files();
  const source = await writeFiles(await temporaryFolder(t), { ...files, 'notes.txt': Buffer.from('x') });
  const { manifest, directory } = await store.import('base-int8', source);
  assert.equal(manifest.name, 'whisper-base');
  assert.equal(manifest.source.type, 'import');
  assert.deepEqual(await readFile(join(directory, 'model.bin')), files['model.bin']);
  assert.deepEqual(manifest.files.map((file) => file.path).sort(), Object.keys(files).sort());
  assert.equal((await store.require('openai/whisper-base')).directory, directory);
  assert.equal(
    (await store.resolve('whisper-1', { defaultModel: 'base', computeType: 'int8' })).name,
    'whisper-base-int8',
  );
});

test('a Hugging Face directory of links, as in the cache of the hub, is imported under a name of its own', async (t) => {
  const store = openStore(storeOptions(await temporaryFolder(t)));
  const blobs = await writeFiles(await temporaryFolder(t), huggingFaceFiles());
  const links = await temporaryFolder(t);
  for (const name of Object.keys(huggingFaceFiles())) await symlink(join(blobs, name), join(links, name));
  const { manifest, directory } = await store.import('our-whisper', links);
  assert.equal(manifest.format, 'huggingface');
  assert.ok((await stat(join(directory, 'model.safetensors'))).isFile());
  const resolved = await store.resolve('our-whisper', { defaultModel: 'x', computeType: 'float32' });
  assert.equal(resolved.name, 'our-whisper-float32');
  assert.equal(resolved.entry.kind, 'whisper');
});

test('what is not what it says is not imported, and nothing is left of it', async (t) => {
  const home = await temporaryFolder(t);
  const store = openStore(storeOptions(home));
  const good = ctranslate2Files();
  const cases: [string, Record<string, Buffer>, RegExp][] = [
    ['whisper-base', {}, /holds no model/],
    [
      'whisper-base',
      { ...good, 'model.bin': Buffer.from('not weights at all, but text') },
      /not a CTranslate2 Whisper model/,
    ],
    [
      'whisper-base',
      { ...good, 'config.json': Buffer.from('{"add_source_bos": false}') },
      /not a Whisper model/,
    ],
    ['whisper-base', { ...good, 'tokenizer.json': Buffer.from('{"model": ') }, /tokenizer\.json is not JSON/],
    ['whisper-base', { ...huggingFaceFiles(), 'model.safetensors': Buffer.alloc(100) }, /safetensors/],
    ['whisper-base', huggingFaceFiles('bert'), /type bert/],
    ['whisper-base', huggingFaceFiles('clip'), /is a CLIP model, but whisper-base is a Whisper model/],
    ['whisper-base', { 'silero_vad_16k_sequence.onnx': onnx() }, /import it as silero-vad/],
    ['silero-vad', { 'silero_vad_16k_sequence.onnx': Buffer.alloc(4000, 1) }, /not an ONNX model/],
    ['silero-vad', good, /is a Whisper model, but silero-vad is a voice activity model/],
  ];
  const whole = huggingFaceFiles()['model.safetensors']!;
  cases.push([
    'whisper-base',
    { ...huggingFaceFiles(), 'model.safetensors': whole.subarray(0, -1) },
    /whole safetensors/,
  ]);
  for (const [name, files, message] of cases) {
    const source = await writeFiles(await temporaryFolder(t), files);
    await assert.rejects(store.import(name, source), { code: 'unsupported_model', message });
  }
  await assert.rejects(store.import('whisper-base', '/nowhere'), { code: 'not_found' });
  assert.deepEqual(
    await pathsBelow(home),
    ['locks'].filter((path) => path !== 'locks'),
  );
});

test('a name that would leave the directory, or be taken for another, is refused', async (t) => {
  const home = await temporaryFolder(t);
  const store = openStore(storeOptions(home));
  const source = await writeFiles(await temporaryFolder(t), ctranslate2Files());
  for (const name of [
    '../x',
    '..',
    '.hidden',
    '/etc/x',
    'a/b/c',
    'a/../b',
    'a--b',
    'a b',
    '',
    'x'.repeat(200),
    'whisper-1',
    'a\\b',
    'a\0',
  ]) {
    await assert.rejects(
      store.import(name, source),
      { code: 'invalid_request', param: 'model' },
      JSON.stringify(name),
    );
    await assert.rejects(store.remove(name), { code: 'invalid_request' });
  }
  assert.deepEqual(await pathsBelow(home), []);
});

test('remove takes the model and what was made of it; what is missing is named with its remedy', async (t) => {
  const { store, home } = await storeWithVad(t);
  await store.import('whisper-tiny', await writeFiles(await temporaryFolder(t), ctranslate2Files()));
  await store.conversion({
    model: 'whisper-tiny',
    variant: 'int8',
    key: 'v1',
    build: async (folder) => writeFile(join(folder, 'a'), 'a'),
  });
  assert.deepEqual(
    (await store.list()).map((model) => model.manifest.name),
    ['silero-vad', 'whisper-tiny'],
  );
  assert.equal(await store.remove('tiny'), true);
  assert.equal(await store.remove('tiny'), false);
  assert.deepEqual(
    (await store.list()).map((model) => model.manifest.name),
    ['silero-vad'],
  );
  assert.ok(!(await pathsBelow(home)).some((path) => path.includes('whisper-tiny')));
  await assert.rejects(store.require('tiny'), {
    code: 'model_not_installed',
    message: /percept pull whisper-tiny/,
  });
});

test('a model with a missing or shortened file is not installed; verify finds a changed one', async (t) => {
  const { store } = await storeWithVad(t);
  const source = await writeFiles(await temporaryFolder(t), ctranslate2Files());
  const { directory } = await store.import('tiny', source);
  await store.verify('tiny');
  const weights = await readFile(join(directory, 'model.bin'));
  weights[weights.length - 1]! ^= 1;
  await writeFile(join(directory, 'model.bin'), weights);
  await assert.rejects(store.verify('tiny'), { code: 'checksum_mismatch', message: /model\.bin changed/ });
  await writeFile(join(directory, 'model.bin'), weights.subarray(1));
  assert.equal(await store.find('tiny'), undefined);
  await store.import('tiny', source);
  await store.verify('tiny');
});

test('a conversion is built once per key for all who ask, and stale keys of its variant go', async (t) => {
  const { store, home } = await storeWithVad(t);
  let builds = 0;
  const convert = (variant: string, key: string) =>
    store.conversion({
      model: 'whisper-tiny',
      variant,
      key,
      build: async (folder) => {
        builds += 1;
        await writeFile(join(folder, 'graph.onnx'), key);
      },
    });
  const [first, second] = await Promise.all([convert('int8', 'v1'), convert('int8', 'v1')]);
  assert.equal(first, second);
  assert.equal(builds, 1);
  const other = await convert('float32', 'v1');
  const newer = await convert('int8', 'v2');
  assert.equal(await readFile(join(newer, 'graph.onnx'), 'utf8'), 'v2');
  assert.ok(await stat(other));
  await assert.rejects(stat(first), { code: 'ENOENT' });
  assert.equal(builds, 3);

  const failing = store.conversion({
    model: 'whisper-tiny',
    variant: 'int8',
    key: 'v3',
    build: async (folder) => {
      await writeFile(join(folder, 'half'), '');
      throw new Error('no');
    },
  });
  await assert.rejects(failing, { message: 'no' });
  assert.ok(!(await pathsBelow(home)).some((path) => path.includes('half')));
  await assert.rejects(convert('..', 'v1'), { code: 'internal' });
});

test('sweep removes what dead processes left and spares what living ones use', async (t) => {
  const { store, home } = await storeWithVad(t);
  await importVad(t, store);
  const own = (await import('../../src/store/owner.ts')).ownerTag();
  // Process 2^22 + 1 cannot exist: the kernel gives out no such number.
  const dead = `${own.split('.')[0]}.4194305.1`;
  for (const tag of [own, dead]) {
    await mkdir(join(home, 'models', `.incoming-${tag}.00`), { recursive: true });
    await writeFile(join(home, 'locks', `model-x@${tag}.00`), '');
  }
  await store.sweep();
  const left = [...(await pathsBelow(home)), ...(await pathsBelow(join(home, 'locks')))];
  assert.deepEqual(
    left.filter((path) => path.includes(dead)),
    [],
  );
  assert.equal(left.filter((path) => path.includes(own)).length, 2);
});
