import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';

import { chooseFiles } from '../../src/store/checkpoint.ts';
import { catalogueEntry } from '../../src/store/names.ts';
import { openStore } from '../../src/store/store.ts';
import { writeHef } from '../support/hef.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { type Files, importVad, safetensors, storeOptions, writeFiles } from './fixtures.ts';
import { listen, send, startHub } from './servers.ts';

const HEF = writeHef({
  groups: [
    { name: 'n', inputs: [{ name: 'i', shape: [1, 4, 4] }], outputs: [{ name: 'o', shape: [1, 4, 4] }] },
  ],
});
const TABLE = Buffer.concat([Buffer.from('\x93NUMPY\x01\x00', 'latin1'), Buffer.alloc(100)]);
const JSON_FILE = Buffer.from('{"model_type": "whisper", "suppress_tokens": []}');

const WHISPER: Files = {
  'tiny-whisper-encoder-10s.hef': HEF,
  'tiny-whisper-decoder-fixed-sequence.hef': HEF,
  'token_embedding_weight_tiny.npy': TABLE,
  'onnx_add_input_tiny.npy': TABLE,
  'tokenizer.json': JSON_FILE,
  'generation_config.json': JSON_FILE,
};
const CLIP: Files = {
  'clip_vit_b_32_image_encoder.hef': HEF,
  'clip_vit_b_32_text_encoder.hef': HEF,
  'config.json': Buffer.from('{"model_type": "clip"}'),
  'tokenizer.json': JSON_FILE,
  'model.safetensors': safetensors(64),
};

test('compiled networks with what belongs to them are a model, whose kind their names tell', () => {
  const whisper = chooseFiles(['README.md', ...Object.keys(WHISPER)], 'here');
  assert.equal(whisper.kind, 'whisper-hailo');
  assert.deepEqual([...whisper.files].sort(), Object.keys(WHISPER).sort());
  const clip = chooseFiles([...Object.keys(CLIP), 'hailo.json'], 'here', 'clip');
  assert.equal(clip.kind, 'clip-hailo');
  assert.deepEqual([...clip.files].sort(), [...Object.keys(CLIP), 'hailo.json'].sort());
});

const without = (files: Files, ...missing: string[]) =>
  Object.keys(files).filter((name) => !missing.includes(name));

const INCOMPLETE: readonly (readonly [what: string, names: readonly string[], message: RegExp])[] = [
  [
    'an encoder',
    without(WHISPER, 'tiny-whisper-encoder-10s.hef'),
    /one \*encoder\*\.hef and one \*decoder\*\.hef/,
  ],
  ['the embeddings', without(WHISPER, 'token_embedding_weight_tiny.npy'), /token_embedding\*\.npy/],
  ['the tokenizer', without(WHISPER, 'tokenizer.json'), /needs tokenizer\.json/],
  ['the checkpoint of CLIP', without(CLIP, 'config.json', 'model.safetensors'), /needs the checkpoint/],
];

for (const [what, names, message] of INCOMPLETE) {
  test(`compiled networks without ${what} are refused, and it is said where to have it from`, () => {
    const type = names.includes('config.json') ? 'clip' : undefined;
    assert.throws(() => chooseFiles(names, 'here', type), { code: 'unsupported_model', message });
  });
}

async function storeWith(
  t: TestContext,
  files: { readonly vendor: Files; readonly hub: Record<string, Files> },
) {
  const vendor = await listen(t, (request, response) => {
    const content = files.vendor[decodeURI(request.url!).slice(1)];
    if (content) send(request, response, content);
    else response.writeHead(404).end();
  });
  const hub = await startHub(t, { repositories: files.hub });
  const home = await temporaryFolder(t);
  const options = storeOptions(home, { hub: hub.url });
  const store = openStore({
    ...options,
    sources: { ...options.sources, hailoResources: vendor.url, hailoModelZoo: vendor.url },
  });
  t.after(() => store.close());
  await importVad(t, store);
  return { store, vendor };
}

/** The files of an entry at the addresses that it names. */
function published(name: string, content: Buffer): Files {
  const { vendor } = catalogueEntry(name)!;
  return Object.fromEntries(
    vendor!.files.map(({ path, address }) => [decodeURI(address), path.endsWith('.npy') ? TABLE : content]),
  );
}

const BESIDE: Files = {
  'tokenizer.json': JSON_FILE,
  'config.json': JSON_FILE,
  'generation_config.json': JSON_FILE,
};

test('a compiled model is pulled from its maker, and the small files beside it from the hub', async (t) => {
  const name = 'whisper-base-hailo8';
  const { store, vendor } = await storeWith(t, {
    vendor: published(name, HEF),
    hub: { 'openai/whisper-base': BESIDE },
  });
  const { manifest } = await store.pull(name);
  assert.equal(manifest.kind, 'whisper-hailo');
  assert.equal(manifest.format, 'hef');
  assert.equal(manifest.source.type, 'vendor');
  assert.match(manifest.source.revision ?? '', /^openai\/whisper-base@a{40}$/);
  assert.deepEqual(
    manifest.files.map(({ path }) => path).sort(),
    [
      'base-whisper-decoder-fixed-sequence-matmul-split.hef',
      'base-whisper-encoder-5s.hef',
      'config.json',
      'generation_config.json',
      'onnx_add_input_base.npy',
      'token_embedding_weight_base.npy',
      'tokenizer.json',
    ].sort(),
  );
  assert.deepEqual(
    vendor.requests.map(({ url }) => url).sort()[0],
    '/npy%20files/whisper/decoder_assets/base/decoder_tokenization/onnx_add_input_base.npy',
  );
});

test('a compiled model whose hash is known is refused when it is another file', async (t) => {
  const { store } = await storeWith(t, {
    vendor: published('whisper-tiny-hailo8', HEF),
    hub: { 'openai/whisper-tiny': BESIDE },
  });
  await assert.rejects(store.pull('whisper-tiny-hailo8'), { code: 'checksum_mismatch' });
});

test('what the maker does not have is told with the address, and where else to bring it from', async (t) => {
  const { store } = await storeWith(t, { vendor: {}, hub: { 'openai/whisper-base': BESIDE } });
  await assert.rejects(store.pull('whisper-base-hailo8l'), (error: Error) => {
    assert.match(error.message, /404/);
    assert.match(error.message, /percept import whisper-base-hailo8l DIRECTORY/);
    return true;
  });
});

test('a file that is no HEF is refused before anything is installed', async (t) => {
  const home = await temporaryFolder(t);
  const store = openStore(storeOptions(home));
  t.after(() => store.close());
  const folder = join(home, 'mine');
  await mkdir(folder);
  await writeFiles(folder, { ...WHISPER, 'tiny-whisper-encoder-10s.hef': Buffer.from('not a network') });
  await assert.rejects(store.import('mine', folder), { code: 'unsupported_model', message: /is not a HEF/ });
  assert.equal(await store.find('mine'), undefined);
});

test('names of the hub and short names mean models on the CPU, never compiled ones', () => {
  assert.equal(catalogueEntry('openai/whisper-tiny')?.name, 'whisper-tiny');
  assert.equal(catalogueEntry('tiny')?.name, 'whisper-tiny');
  assert.equal(catalogueEntry('openai/clip-vit-base-patch32')?.name, 'clip-vit-b-32');
  assert.equal(catalogueEntry('whisper-tiny.en-hailo10h')?.kind, 'whisper-hailo');
});
