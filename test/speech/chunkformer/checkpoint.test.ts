import assert from 'node:assert/strict';
import { cp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { openChunkFormerCheckpoint } from '../../../src/speech/chunkformer/checkpoint.ts';
import { convertChunkFormer } from '../../../src/speech/chunkformer/convert.ts';
import { readVocabulary } from '../../../src/speech/chunkformer/vocabulary.ts';
import { readChunkFormerConfig } from '../../../src/store/chunkformer-config.ts';
import { temporaryFile, temporaryFolder } from '../../support/temporary.ts';
import { CHECKPOINT } from './golden.ts';

async function copyOfCheckpoint(t: TestContext): Promise<string> {
  const folder = await temporaryFolder(t);
  await cp(CHECKPOINT, folder, { recursive: true });
  return folder;
}

test('sizes come from the tensors', () => {
  const { sizes, close } = openChunkFormerCheckpoint(CHECKPOINT);
  close();
  assert.deepEqual(sizes, {
    width: 24,
    heads: 3,
    bins: 80,
    layers: 3,
    inner: 40,
    kernel: 15,
    vocabulary: 25,
  });
});

test('statistics in the file are those of the checkpoint, to the digits that the file has', async (t) => {
  const folder = await copyOfCheckpoint(t);
  const { normalisation } = openChunkFormerCheckpoint(folder);
  const path = join(folder, 'pytorch_model.pt');
  // The checkpoint's own go before the file: under another name they are not found.
  const bytes = (await readFile(path))
    .toString('latin1')
    .replaceAll('encoder.global_cmvn', 'encoder.absent_cmvn');
  await writeFile(path, bytes, 'latin1');
  const fromFile = openChunkFormerCheckpoint(folder).normalisation;
  for (const part of ['mean', 'scale'] as const)
    normalisation[part].forEach((value, bin) => {
      assert.ok(Math.abs(value - fromFile[part][bin]!) < 1e-5 * Math.abs(value), `${part} ${bin}`);
    });
  await rm(join(folder, 'global_cmvn'));
  assert.throws(() => openChunkFormerCheckpoint(folder), {
    code: 'unsupported_model',
    message: /global_cmvn/,
  });
});

const CONFIG = await readFile(join(CHECKPOINT, 'config.yaml'), 'utf8');

const REFUSED: readonly (readonly [name: string, text: string, message: RegExp])[] = [
  ['no encoder_conf', CONFIG.replace('encoder_conf:', 'encoder_config:'), /encoder_conf/],
  [
    'a transducer',
    CONFIG.replace('model: asr_model', 'model: transducer'),
    /model: "transducer".*Only CTC models/,
  ],
  ['a classifier', CONFIG.replace('model: asr_model', 'model: classification'), /Only CTC models/],
  [
    'convolutions over the whole',
    CONFIG.replace('dynamic_conv: true', 'dynamic_conv: false'),
    /dynamic_conv/,
  ],
  [
    'no word of its convolutions',
    CONFIG.replace('  dynamic_conv: true\n', ''),
    /dynamic_conv: false, expected true/,
  ],
  ['batch norms', CONFIG.replace('cnn_module_norm: layer_norm', 'cnn_module_norm: batch_norm'), /batch_norm/],
  ['an unknown decoder', CONFIG.replace('decoder: transformer', 'decoder: llm'), /decoder: "llm"/],
  ['another blank', CONFIG.replace('ctc_blank_id: 0', 'ctc_blank_id: 1'), /ctc_blank_id/],
  [
    'another sample rate',
    CONFIG.replace('resample_rate: 16000', 'resample_rate: 8000'),
    /resample_rate: 8000/,
  ],
  ['another number of bands', CONFIG.replace('num_mel_bins: 80', 'num_mel_bins: 40'), /40 mel bins/],
  ['a list', '- 1\n- 2\n', /none of ChunkFormer's/],
  ['no YAML', 'a: [1\nb: }', /not YAML/],
  [
    'aliases that grow',
    `a: &a [x,x,x,x,x,x,x,x,x]\n${'bcdefghi'
      .split('')
      .map((name, index) => `${name}: &${name} [${Array(9).fill(`*${'abcdefghi'[index]}`).join()}]`)
      .join('\n')}`,
    /not YAML/,
  ],
];

for (const [name, text, message] of REFUSED) {
  test(`a config.yaml with ${name} is refused`, () => {
    assert.throws(() => readChunkFormerConfig(text, 'here'), { code: 'unsupported_model', message });
  });
}

test('a vocabulary with a wrong line is refused with the line', async (t) => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ['a 0\nb\nc 2\n', /vocab\.txt:2: .*got "b"/],
    ['a 0\nb 1 2\nc 2\n', /vocab\.txt:2/],
    ['a 0\nb one\nc 2\n', /vocab\.txt:2/],
    ['a 0\nb -1\nc 2\n', /vocab\.txt:2/],
    ['a 0\nb 3\nc 2\n', /vocab\.txt:2: .*below 3/],
    ['a 0\n\nc 2\n', /vocab\.txt:2/],
    ['a 0\nc 2\n', /no symbol for id 1/],
    ['', /no symbol for id 0/],
  ];
  for (const [text, message] of cases) {
    const path = await temporaryFile(t, 'vocab.txt', Buffer.from(text));
    assert.throws(
      () => readVocabulary(path, 3),
      { code: 'unsupported_model', message },
      JSON.stringify(text),
    );
  }
  const path = await temporaryFile(t, 'vocab.txt', Buffer.from('<blank> 0\r\n▁xin 1\r\nh 2'));
  assert.equal(readVocabulary(path, 3).text([1, 2, 1]), 'xinh xin');
});

test('a checkpoint that does not fit its vocabulary or lacks a tensor is not converted', async (t) => {
  const target = await temporaryFolder(t);
  const folder = await copyOfCheckpoint(t);
  await writeFile(join(folder, 'vocab.txt'), 'a 0\n');
  await assert.rejects(convertChunkFormer(folder, target), {
    code: 'unsupported_model',
    message: /vocab\.txt/,
  });

  await cp(join(CHECKPOINT, 'vocab.txt'), join(folder, 'vocab.txt'));
  const path = join(folder, 'pytorch_model.pt');
  const bytes = (await readFile(path))
    .toString('latin1')
    .replaceAll('conv_module.depthwise', 'conv_module.departure');
  await writeFile(path, bytes.replaceAll('conv_module.departure', 'conv_module.depthless'), 'latin1');
  await assert.rejects(convertChunkFormer(folder, target), {
    code: 'unsupported_model',
    message: /depthwise_conv/,
  });

  await rename(path, join(folder, 'other.pt'));
  await assert.rejects(convertChunkFormer(folder, target), {
    code: 'unsupported_model',
    message: /no pytorch_model\.bin, pytorch_model\.pt/,
  });
});
