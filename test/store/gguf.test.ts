import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { chooseFiles } from '../../src/store/checkpoint.ts';
import { openStore } from '../../src/store/store.ts';
import { ggufFile, modelFields } from '../support/gguf.ts';
import { type Files, storeOptions, temporaryFolder, writeFiles } from './fixtures.ts';

const WEIGHTS = ggufFile(modelFields());

test('what stands beside a GGUF file and concerns it is kept with the model', async (t) => {
  const home = await temporaryFolder(t);
  const store = openStore(storeOptions(home));
  t.after(() => store.close());
  const files: Files = {
    'tiny-Q4_K_M.gguf': WEIGHTS,
    'tiny-Q8_0.gguf': WEIGHTS,
    'generation_config.json': Buffer.from('{"temperature": 0.6}'),
    'chat_template.jinja': Buffer.from('{{ messages }}'),
    'config.json': Buffer.from('{}'),
    'README.md': Buffer.from('# Tiny'),
  };
  const source = await writeFiles(await temporaryFolder(t), files);
  const alone = await store.import('my-other', join(source, 'tiny-Q8_0.gguf'));
  const { manifest, directory } = await store.import('my-model', source);
  const kept = ['chat_template.jinja', 'generation_config.json', 'tiny-Q4_K_M.gguf'];
  assert.deepEqual(manifest.files.map(({ path }) => path).sort(), kept);
  assert.deepEqual((await readdir(directory)).sort(), [
    'chat_template.jinja',
    'generation_config.json',
    'manifest.json',
    'tiny-Q4_K_M.gguf',
  ]);
  // The hash names the weights, whatever stands beside them.
  assert.equal(manifest.checkpointHash, alone.manifest.checkpointHash);
  assert.deepEqual(
    alone.manifest.files.map(({ path }) => path),
    ['tiny-Q8_0.gguf'],
  );
});

test('a chat template in JSON is kept beside every part of a model', () => {
  const parts = ['m-Q4_K_M-00001-of-00002.gguf', 'm-Q4_K_M-00002-of-00002.gguf'];
  const chosen = chooseFiles([...parts, 'chat_template.json', 'mmproj-m.gguf'], 'here');
  assert.deepEqual(chosen, {
    kind: 'llm',
    format: 'gguf',
    files: ['chat_template.json', ...parts],
    weights: parts,
  });
});

test('a file beside the weights is refused where it is no JSON, or is large', async (t) => {
  const store = openStore(storeOptions(await temporaryFolder(t)));
  t.after(() => store.close());
  const broken: readonly (readonly [string, Buffer, RegExp])[] = [
    ['generation_config.json', Buffer.from('{'), /generation_config\.json is not JSON/],
    ['chat_template.jinja', Buffer.alloc(2 ** 20 + 1, ' '), /has 1048577 bytes; at most 1048576/],
  ];
  for (const [name, content, message] of broken) {
    const source = await writeFiles(await temporaryFolder(t), { 'tiny.gguf': WEIGHTS, [name]: content });
    await assert.rejects(store.import('my-model', source), { code: 'unsupported_model', message });
  }
});
