import assert from 'node:assert/strict';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { create } from 'tar';
import { type DatasetEntry, hasDataset, pullDataset } from '../../src/store/dataset.ts';
import { openRemote } from '../../src/store/remote.ts';
import { pathsBelow, sha256, storeOptions, temporaryFolder, writeFiles } from './fixtures.ts';
import { startIndex } from './servers.ts';

test('only the wanted files of the archive are kept, and a changed archive is a new data set', async (t) => {
  const source = await temporaryFolder(t);
  await mkdir(join(source, 'speech-1.0/test/data'), { recursive: true });
  await writeFiles(join(source, 'speech-1.0/test/data'), {
    'a.wav': Buffer.from('RIFF'),
    transcription: Buffer.from('<s> a </s> (a)'),
    'other.bin': Buffer.alloc(9),
  });
  await create({ gzip: true, cwd: source, file: join(source, 'archive') }, ['speech-1.0']);
  const content = await readFile(join(source, 'archive'));
  const file = 'speech-1.0.tar.gz';
  const entry: DatasetEntry = {
    name: 'speech',
    package: { project: 'speech', file, sizeBytes: content.length, sha256: sha256(content) },
    folder: 'speech-1.0/test/data',
    files: ['a.wav', 'transcription'],
    licence: 'Public domain',
  };
  const index = await startIndex(t, { files: { speech: { file, content } }, form: 'json' });
  const home = await temporaryFolder(t);
  const remote = openRemote(storeOptions(home, { index: `${index.url}/simple` }));
  t.after(() => remote.network.close());
  const target = join(home, 'datasets/speech');
  const context = { ...remote, downloads: join(home, 'downloads') };

  assert.equal(await hasDataset(entry, target), false);
  await pullDataset(entry, target, context);
  assert.deepEqual(await pathsBelow(target), ['a.wav', 'manifest.json', 'transcription']);
  assert.equal(await readFile(join(target, 'a.wav'), 'utf8'), 'RIFF');
  assert.equal(await hasDataset(entry, target), true);
  assert.equal(
    await hasDataset({ ...entry, package: { ...entry.package, sha256: 'c'.repeat(64) } }, target),
    false,
  );

  const incomplete = { ...entry, files: [...entry.files, 'missing.wav'] };
  await assert.rejects(pullDataset(incomplete, join(home, 'datasets/other'), context), {
    message: /2 of the 3 expected/,
  });
  assert.deepEqual(await pathsBelow(join(home, 'datasets')), [
    'speech',
    'speech/a.wav',
    'speech/manifest.json',
    'speech/transcription',
  ]);
});
