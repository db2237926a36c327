import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { COMPUTE_TYPES_OF } from '../../src/store/catalogue-entry.ts';
import { resolveName } from '../../src/store/names.ts';
import { openStore } from '../../src/store/store.ts';
import { CHECKPOINT } from '../speech/chunkformer/golden.ts';
import { ctranslate2Files, type Files, storeOptions, temporaryFolder, writeFiles } from './fixtures.ts';
import { startHub } from './servers.ts';

const NAME = 'chunkformer-ctc-large-vie';
const REPOSITORY = 'khanhld/chunkformer-ctc-large-vie';
const KEPT = ['config.yaml', 'global_cmvn', 'pytorch_model.pt', 'vocab.txt'];

async function checkpointFiles(): Promise<Files> {
  const read = KEPT.map(async (name) => [name, await readFile(join(CHECKPOINT, name))] as const);
  return Object.fromEntries(await Promise.all(read));
}

const replaced = (files: Files, name: string, change: (text: string) => string): Files => ({
  ...files,
  [name]: Buffer.from(change(files[name]!.toString('utf8'))),
});

test('a ChunkFormer repository is pulled by its name, by its alias or as any repository', async (t) => {
  const files = {
    ...(await checkpointFiles()),
    'README.md': Buffer.from('no'),
    'config.json': Buffer.from('{}'),
  };
  const hub = await startHub(t, { repositories: { [REPOSITORY]: files, 'someone/their-vie': files } });
  const home = await temporaryFolder(t);
  const store = openStore(storeOptions(home, { hub: hub.url }));
  t.after(() => store.close());
  const { manifest } = await store.pull('chunkformer-large-vie');
  assert.deepEqual(
    [manifest.name, manifest.kind, manifest.format, manifest.licence],
    [NAME, 'chunkformer', 'pytorch', 'mit'],
  );
  assert.deepEqual(manifest.files.map(({ path }) => path).sort(), KEPT);
  const other = (await store.pull('someone/their-vie')).manifest;
  assert.deepEqual([other.name, other.kind], ['someone/their-vie', 'chunkformer']);
  // It works without voice activity detection, which is then not fetched.
  assert.deepEqual((await readdir(join(home, 'models'))).sort(), [NAME, 'someone--their-vie']);
  const resolved = await store.resolve('someone/their-vie', { defaultModel: NAME, computeType: 'int8' });
  assert.deepEqual([resolved.name, resolved.entry.kind], ['someone/their-vie-float32', 'chunkformer']);
});

test('a repository that cannot be run is refused before its weights move', async (t) => {
  const files = await checkpointFiles();
  const { 'vocab.txt': _, ...withoutVocabulary } = files;
  const hub = await startHub(t, {
    repositories: {
      'a/transducer': replaced(files, 'config.yaml', (text) => text.replace('asr_model', 'transducer')),
      'a/bare': withoutVocabulary,
      [REPOSITORY]: ctranslate2Files(),
    },
  });
  const store = openStore(storeOptions(await temporaryFolder(t), { hub: hub.url }));
  t.after(() => store.close());
  const cases = [
    ['a/transducer', /model: "transducer".*Only CTC models/],
    ['a/bare', /no vocab\.txt/],
    [NAME, /is a Whisper model, but chunkformer-ctc-large-vie is a ChunkFormer model/],
  ] as const;
  for (const [name, message] of cases)
    await assert.rejects(store.pull(name), { code: 'unsupported_model', message });
  assert.equal(hub.content.requests.length, 0);
});

test('a directory that is no ChunkFormer model is not imported', async (t) => {
  const store = openStore(storeOptions(await temporaryFolder(t)));
  t.after(() => store.close());
  const files = await checkpointFiles();
  const { 'config.yaml': _, ...withoutConfig } = files;
  const cases: readonly (readonly [string, Files, RegExp])[] = [
    ['mine', withoutConfig, /only as Python pickles/],
    ['mine', replaced(files, 'config.yaml', () => 'encoder: ['), /not YAML/],
    ['mine', { ...files, 'pytorch_model.pt': Buffer.from('\x80\x02\x8a\nlegacy', 'latin1') }, /PyTorch 1\.6/],
    ['whisper-base', files, /Take a name of its own/],
    ['silero-vad', files, /is a ChunkFormer model, but silero-vad/],
  ];
  for (const [name, content, message] of cases) {
    const source = await writeFiles(await temporaryFolder(t), content);
    await assert.rejects(store.import(name, source), { code: 'unsupported_model', message });
  }
});

test('a ChunkFormer model has one compute type, and another is refused', () => {
  const options = { defaultModel: 'whisper-base-int8', computeType: 'int8' } as const;
  assert.deepEqual(COMPUTE_TYPES_OF.chunkformer, ['float32']);
  for (const written of [
    NAME,
    REPOSITORY,
    'khanhld/chunkformer-large-vie',
    `${NAME}-fp32`,
    `${NAME}-float32`,
  ])
    assert.equal(resolveName(written, options).name, `${NAME}-float32`);
  assert.throws(() => resolveName(`${NAME}-int8`, options), {
    code: 'model_not_found',
    message: /has no form int8; ask for chunkformer-ctc-large-vie-float32/,
  });
});
