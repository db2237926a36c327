import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { AppError } from '../../../src/base/errors.ts';
import { readAlignmentHeads } from '../../../src/speech/whisper/alignment-heads.ts';
import { temporaryFolder } from '../../support/temporary.ts';

const SIZES = {
  width: 128,
  heads: 2,
  melBins: 80,
  encoderLayers: 3,
  decoderLayers: 3,
  vocabulary: 51_865,
  audioPositions: 1500,
  textPositions: 448,
};

async function read(t: TestContext, files: Record<string, object>) {
  const folder = await temporaryFolder(t);
  for (const [name, content] of Object.entries(files))
    await writeFile(join(folder, name), JSON.stringify(content));
  return readAlignmentHeads(folder, SIZES);
}

test('the heads are those of the model’s own list', async (t) => {
  const heads = [
    [1, 1],
    [2, 0],
  ];
  assert.deepEqual(await read(t, { 'config.json': { alignment_heads: heads } }), heads);
  const both = { 'config.json': {}, 'generation_config.json': { alignment_heads: heads } };
  assert.deepEqual(await read(t, both), heads);
});

test('without a list they are all heads of the last half of the layers', async (t) => {
  for (const files of [{}, { 'config.json': {} }, { 'generation_config.json': { alignment_heads: null } }])
    assert.deepEqual(await read(t, files), [
      [1, 0],
      [1, 1],
      [2, 0],
      [2, 1],
    ]);
});

test('a head that the model has not is refused by its name', async (t) => {
  for (const head of [[3, 0], [0, 2], [0.5, 0], [-1, 0], 7, [1]])
    await assert.rejects(
      read(t, { 'config.json': { alignment_heads: [head] } }),
      (error) =>
        error instanceof AppError &&
        error.code === 'unsupported_model' &&
        error.message.includes(JSON.stringify(head)),
    );
});
