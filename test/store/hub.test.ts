import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { openStore } from '../../src/store/store.ts';
import {
  ctranslate2Files,
  type Files,
  huggingFaceFiles,
  onnx,
  pathsBelow,
  safetensors,
  sha256,
  storeOptions,
  storeWithVad,
} from './fixtures.ts';
import { cut, REVISION, send, startHub } from './servers.ts';

const NAME = 'someone/tiny-whisper';

test('a repository is pinned, verified, installed and described', async (t) => {
  const files: Files = {
    ...ctranslate2Files(),
    'README.md': Buffer.from('no'),
    'pytorch_model.bin': Buffer.from('no'),
  };
  const hub = await startHub(t, { repositories: { [NAME]: files } });
  const { store, home } = await storeWithVad(t, { hub: hub.url });
  const seen: number[] = [];
  const { manifest, directory } = await store.pull(NAME, {
    onProgress: ({ doneBytes, totalBytes }) => {
      assert.ok(doneBytes <= totalBytes);
      seen.push(doneBytes);
    },
  });
  assert.equal(directory, join(home, 'models/someone--tiny-whisper'));
  assert.equal(manifest.format, 'ctranslate2');
  assert.equal(manifest.licence, 'mit');
  assert.deepEqual(manifest.source, { type: 'hub', id: NAME, revision: REVISION, url: `${hub.url}/${NAME}` });
  assert.deepEqual(manifest.files.map((file) => file.path).sort(), [
    'config.json',
    'model.bin',
    'tokenizer.json',
    'vocabulary.json',
  ]);
  assert.equal(manifest.checkpointHash, sha256(Buffer.from(sha256(files['model.bin']!))));
  assert.deepEqual(await readFile(join(directory, 'model.bin')), files['model.bin']);
  assert.deepEqual(
    seen,
    [...seen].sort((a, b) => a - b),
  );
  assert.deepEqual(await store.require(NAME), { manifest, directory });
  assert.deepEqual(
    (await pathsBelow(home)).filter((path) => path.startsWith('downloads/')),
    [],
  );

  const before = hub.requests.length;
  await store.pull(`${NAME}-float32`);
  assert.equal(
    hub.requests.length,
    before,
    'compute types share the weights; what is installed is not asked for again',
  );
});

test('safetensors of the Hugging Face layout are taken, sharded ones with their index', async (t) => {
  const shards: Files = {
    ...huggingFaceFiles(),
    'model-00001-of-00002.safetensors': safetensors(100),
    'model-00002-of-00002.safetensors': safetensors(200),
    'model.safetensors.index.json': Buffer.from(
      '{"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}',
    ),
  };
  const { 'model.safetensors': _, ...sharded } = shards;
  const hub = await startHub(t, { repositories: { 'a/whole': huggingFaceFiles(), 'a/sharded': sharded } });
  const { store } = await storeWithVad(t, { hub: hub.url });
  assert.equal((await store.pull('a/whole')).manifest.format, 'huggingface');
  assert.equal((await store.pull('a/sharded')).manifest.files.length, 6);
});

test('a repository with only pickles, of another model or without a tokenizer is refused before its weights move', async (t) => {
  const { 'tokenizer.json': _, ...withoutTokenizer } = ctranslate2Files();
  const hub = await startHub(t, {
    repositories: {
      'a/pickle': {
        'config.json': Buffer.from('{}'),
        'tokenizer.json': Buffer.from('{}'),
        'pytorch_model.bin': onnx(),
      },
      'a/bert': huggingFaceFiles('bert'),
      'a/bare': withoutTokenizer,
    },
  });
  const { store } = await storeWithVad(t, { hub: hub.url });
  await assert.rejects(store.pull('a/pickle'), {
    code: 'unsupported_model',
    message: /pickles.*safetensors/s,
  });
  await assert.rejects(store.pull('a/bert'), {
    code: 'unsupported_model',
    message: /not a Whisper model but of type bert/,
  });
  await assert.rejects(store.pull('a/bare'), { code: 'unsupported_model', message: /no tokenizer\.json/ });
  assert.equal(hub.content.requests.length, 0);
});

test('the token goes to the hub and never to the host it redirects to', async (t) => {
  const hub = await startHub(t, { repositories: { [NAME]: ctranslate2Files() } });
  const options = storeOptions('', { hub: hub.url });
  const { store } = await storeWithVad(t, {
    hub: hub.url,
    options: { sources: { ...options.sources, hubToken: 'hunter2' } },
  });
  await store.pull(NAME);
  assert.ok(hub.requests.every((request) => request.headers.authorization === 'Bearer hunter2'));
  assert.equal(hub.content.requests.length, 1);
  assert.ok(hub.content.requests.every((request) => request.headers.authorization === undefined));
});

test('a line cut again and again is resumed where it was cut', async (t) => {
  const files = ctranslate2Files(2_000_000);
  let tries = 0;
  const hub = await startHub(t, {
    repositories: { [NAME]: files },
    deliver: (request, response, content) => {
      tries += 1;
      if (tries > 5) send(request, response, content);
      else cut(request, response, { content, bytes: 300_000 });
    },
  });
  const { store } = await storeWithVad(t, { hub: hub.url });
  const { manifest } = await store.pull(NAME);
  const starts = hub.content.requests.map((request) => Number(/\d+/.exec(request.headers.range ?? '0')?.[0]));
  assert.deepEqual(
    starts,
    [...starts].sort((a, b) => a - b),
  );
  assert.equal(starts.length, 6, 'more cuts than retries: each try that gets further starts the count again');
  assert.ok(starts.at(-1)! > 300_000);
  assert.equal(manifest.files.find((file) => file.path === 'model.bin')?.sha256, sha256(files['model.bin']!));
});

test('a server that cannot continue is asked for everything again', async (t) => {
  const files = ctranslate2Files();
  let tries = 0;
  const hub = await startHub(t, {
    repositories: { [NAME]: files },
    deliver: (request, response, content) => {
      tries += 1;
      if (tries === 1) return cut(request, response, { content, bytes: 1000 });
      if (tries === 2) return void response.writeHead(416).end();
      return void response.writeHead(200, { 'content-length': content.length }).end(content);
    },
  });
  const { store } = await storeWithVad(t, { hub: hub.url });
  await store.pull(NAME);
  assert.equal(tries, 3);
});

test('a line that stays dead ends after three retries, keeps the part, and the next pull goes on from there', async (t) => {
  const files = ctranslate2Files(500_000);
  let isDead = false;
  const hub = await startHub(t, {
    repositories: { [NAME]: files },
    deliver: (request, response, content) => {
      if (isDead) response.destroy();
      else if (hub.content.requests.length > 1) send(request, response, content);
      else {
        isDead = true;
        cut(request, response, { content, bytes: 400_000 });
      }
    },
  });
  const { store, home } = await storeWithVad(t, { hub: hub.url });
  await assert.rejects(store.pull(NAME), { code: 'download_failed' });
  assert.equal(hub.content.requests.length, 4);
  assert.ok((await pathsBelow(home)).some((path) => path.endsWith('model.bin.part')));
  assert.equal(await store.find(NAME), undefined);
  isDead = false;
  await store.pull(NAME);
  assert.match(hub.content.requests.at(-1)?.headers.range ?? '', /^bytes=[1-9]/);
});

test('a file with another hash than the hub states is refused and leaves nothing', async (t) => {
  for (const statesBlobs of [true, false]) {
    const hub = await startHub(t, {
      repositories: { [NAME]: ctranslate2Files() },
      hash: 'b'.repeat(64),
      statesBlobs,
    });
    const { store, home } = await storeWithVad(t, { hub: hub.url });
    await assert.rejects(store.pull(NAME), { code: 'checksum_mismatch', message: /expected SHA-256 b{64}/ });
    const left = await pathsBelow(home);
    assert.ok(!left.some((path) => path.includes('model.bin') || path.includes('.incoming')), left.join(' '));
    assert.equal(await store.find(NAME), undefined);
  }
});

test('a mirror that states hashes only with the file is believed there; one that states none is refused', async (t) => {
  const repositories = { [NAME]: ctranslate2Files() };
  const linked = await startHub(t, { repositories, statesBlobs: false });
  const { store } = await storeWithVad(t, { hub: linked.url });
  await store.pull(NAME);

  const silent = await startHub(t, { repositories, statesBlobs: false, statesLinks: false });
  const other = await storeWithVad(t, { hub: silent.url });
  await assert.rejects(other.store.pull(NAME), { message: /cannot be verified/ });
});

test('a busy or failing server is tried again, as late as it asks; a refusal is not', async (t) => {
  const answers = [500, 429, 503];
  const hub = await startHub(t, {
    repositories: { [NAME]: ctranslate2Files() },
    deliver: (request, response, content) => {
      const status = answers.shift();
      if (status) response.writeHead(status, { 'retry-after': '0' }).end();
      else send(request, response, content);
    },
  });
  const { store } = await storeWithVad(t, { hub: hub.url });
  await store.pull(NAME);
  assert.equal(hub.content.requests.length, 4);

  await assert.rejects(store.pull('someone/else'), {
    code: 'download_failed',
    message: /answered 401 .*HF_TOKEN/s,
  });
});

test('a server that goes silent in mid-file is given up and asked again', async (t) => {
  let tries = 0;
  const hub = await startHub(t, {
    repositories: { [NAME]: ctranslate2Files() },
    deliver: (request, response, content) => {
      tries += 1;
      if (tries > 1) return send(request, response, content);
      response.writeHead(200, { 'content-length': content.length });
      response.write(content.subarray(0, 1000));
    },
  });
  // undici checks its time-outs about once a second.
  const { store } = await storeWithVad(t, { hub: hub.url, options: { idleTimeoutMs: 300 } });
  await store.pull(NAME);
  assert.equal(tries, 2);
});

test('an abort ends the pull at once, keeps the part for later and installs nothing', async (t) => {
  const hub = await startHub(t, {
    repositories: { [NAME]: ctranslate2Files() },
    deliver: (_request, response, content) => {
      response.writeHead(200, { 'content-length': content.length });
      response.write(content.subarray(0, 1000));
    },
  });
  const { store, home } = await storeWithVad(t, { hub: hub.url });
  const controller = new AbortController();
  const pull = store.pull(NAME, {
    signal: controller.signal,
    onProgress: ({ file, doneBytes }) => {
      if (file === 'model.bin' && doneBytes > 0) controller.abort();
    },
  });
  await assert.rejects(pull, { code: 'cancelled' });
  await store.close();
  const left = await pathsBelow(home);
  assert.ok(left.some((path) => path.endsWith('model.bin.part')));
  assert.ok(
    !left.some((path) => path.includes('someone--tiny-whisper/config.json') && path.startsWith('models')),
  );
});

test('offline nothing is asked of the network; what is installed still works', async (t) => {
  const hub = await startHub(t, { repositories: { [NAME]: ctranslate2Files() } });
  const { store, home } = await storeWithVad(t, { hub: hub.url });
  await store.pull(NAME);
  const before = hub.requests.length;
  const offline = openStore(storeOptions(home, { hub: hub.url, options: { offline: true } }));
  t.after(() => offline.close());
  await offline.pull(NAME);
  await assert.rejects(offline.pull('whisper-tiny'), { code: 'offline', message: /percept import/ });
  await assert.rejects(offline.dataset('librivox'), { code: 'offline' });
  assert.equal(hub.requests.length, before);
});
