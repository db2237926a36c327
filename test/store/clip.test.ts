import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import test from 'node:test';
import { chooseFiles } from '../../src/store/checkpoint.ts';
import { openStore } from '../../src/store/store.ts';
import { clipCheckpoint, LAYOUTS } from '../support/clip.ts';
import {
  type Files,
  huggingFaceFiles,
  onnx,
  safetensors,
  storeOptions,
  storeWithVad,
  temporaryFolder,
  writeFiles,
} from './fixtures.ts';
import { startHub } from './servers.ts';

const TOKENIZER = ['tokenizer.json'];

test('every layout of CLIP is told by its files, and the whole of one is taken', () => {
  const choose = (names: readonly string[], type: string | undefined) =>
    chooseFiles([...names, ...TOKENIZER, 'README.md'], 'here', type);
  const whole = choose(
    ['config.json', 'model.safetensors', 'pytorch_model.bin', 'preprocessor_config.json'],
    'clip',
  );
  assert.deepEqual(whole, {
    kind: 'clip',
    format: 'huggingface',
    files: ['config.json', 'preprocessor_config.json', 'tokenizer.json', 'model.safetensors'],
    weights: ['model.safetensors'],
  });
  const shards = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'];
  const sharded = choose(['config.json', ...shards, 'model.safetensors.index.json'], 'siglip');
  assert.deepEqual(sharded.weights, shards);
  assert.ok(sharded.files.includes('model.safetensors.index.json'));
  assert.equal(choose(['config.json', 'pytorch_model.bin'], 'clip').format, 'pytorch');
  const openClip = choose(
    ['open_clip_config.json', 'open_clip_model.safetensors', 'open_clip_pytorch_model.bin'],
    undefined,
  );
  assert.deepEqual([openClip.format, openClip.weights], ['openclip', ['open_clip_model.safetensors']]);
  const exported = ['onnx/text_model.onnx', 'onnx/vision_model.onnx', 'onnx/vision_model_fp16.onnx'];
  assert.deepEqual(choose(['config.json', ...exported], 'clip').weights, exported.slice(0, 2));
});

test('a CLIP model without weights or without a tokenizer is refused with what is missing', () => {
  assert.throws(
    () => chooseFiles(['config.json', 'tokenizer.json', 'onnx/text_model.onnx'], 'here', 'clip'),
    {
      code: 'unsupported_model',
      message: /model\.safetensors.*vision_model\.onnx/,
    },
  );
  assert.throws(() => chooseFiles(['config.json', 'model.safetensors', 'vocab.json'], 'here', 'clip'), {
    code: 'unsupported_model',
    message: /tokenizer\.json.*merges\.txt/,
  });
});

test('a CLIP model comes from the hub; the folder of exported graphs is left behind', async (t) => {
  const checkpoint: Files = { ...huggingFaceFiles('clip'), 'preprocessor_config.json': Buffer.from('{}') };
  const { 'model.safetensors': _, ...small } = checkpoint;
  const exported: Files = { ...small, 'onnx/vision_model.onnx': onnx(), 'onnx/text_model.onnx': onnx() };
  const openClip: Files = {
    'open_clip_config.json': Buffer.from('{}'),
    'open_clip_model.safetensors': safetensors(64),
    'tokenizer.json': Buffer.from('{}'),
  };
  const repositories = { 'a/clip': checkpoint, 'a/exported': exported, 'a/open': openClip };
  const hub = await startHub(t, { repositories });
  const { store } = await storeWithVad(t, { hub: hub.url });
  const pulled = await store.pull('a/clip');
  assert.deepEqual([pulled.manifest.kind, pulled.manifest.format], ['clip', 'huggingface']);
  const graphs = await store.pull('a/exported');
  assert.deepEqual([graphs.manifest.kind, graphs.manifest.format], ['clip', 'onnx']);
  const files = await readdir(graphs.directory);
  assert.ok(files.includes('vision_model.onnx') && files.includes('text_model.onnx'));
  assert.equal((await store.pull('a/open')).manifest.format, 'openclip');
  assert.equal(
    (await store.resolve('a/clip', { defaultModel: 'x', computeType: 'int8' })).name,
    'a/clip-int8',
  );
});

test('every golden layout can be imported from its folder', async (t) => {
  const store = openStore(storeOptions(await temporaryFolder(t)));
  t.after(() => store.close());
  for (const layout of LAYOUTS) {
    const { manifest } = await store.import(`my-${layout}`, await clipCheckpoint(t, layout));
    assert.equal(manifest.kind, 'clip', layout);
  }
});

test('a name of another kind of model is not given to a CLIP model', async (t) => {
  const store = openStore(storeOptions(await temporaryFolder(t)));
  t.after(() => store.close());
  const source = await writeFiles(await temporaryFolder(t), huggingFaceFiles('clip'));
  await assert.rejects(store.import('whisper-base', source), {
    code: 'unsupported_model',
    message: /CLIP model/,
  });
  assert.equal((await store.import('clip-vit-b-32', source)).manifest.kind, 'clip');
});

test('the model that comes with Percept is installed without a network', async (t) => {
  const store = openStore(storeOptions(await temporaryFolder(t)));
  t.after(() => store.close());
  const { manifest } = await store.pull('clip-shapes');
  assert.deepEqual([manifest.kind, manifest.licence, manifest.source.type], ['clip', 'MIT', 'bundled']);
});
