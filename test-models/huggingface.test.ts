/** The same weights in Hugging Face's layout, made here from the CTranslate2 checkpoint, give the same transcripts. */
import assert from 'node:assert/strict';
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import type { Linear } from '../src/graphs/layers.ts';
import { openWhisperCheckpoint, type WhisperCheckpoint } from '../src/speech/whisper/checkpoint.ts';
import { temporaryFolder } from '../test/support/temporary.ts';
import { openApp } from './support/home.ts';
import { librivox, missingWeights } from './support/weights.ts';

const MODEL = 'whisper-tiny.en-int8';
const skip = await missingWeights(MODEL);

test('an imported Hugging Face directory transcribes as the CTranslate2 checkpoint does', {
  skip,
}, async (t) => {
  const app = openApp();
  try {
    const { directory } = await app.store.require('whisper-tiny.en');
    const folder = await temporaryFolder(t);
    await writeHuggingFace(directory, folder);
    await app.store.import('hf-tiny', folder);
    for (const { path } of (await librivox()).slice(0, 2)) {
      const texts = await Promise.all(
        [MODEL, 'hf-tiny-int8'].map(async (model) => {
          const transcript = await app.speech.transcribe(
            path,
            { model, task: 'transcribe' },
            { signal: t.signal },
          );
          return transcript.segments.map(({ tokens }) => tokens);
        }),
      );
      assert.deepEqual(texts[1], texts[0]);
    }
  } finally {
    await app.store.remove('hf-tiny');
    await app.close({ timeoutMs: 0 });
  }
});

async function writeHuggingFace(source: string, target: string): Promise<void> {
  const checkpoint = openWhisperCheckpoint(source);
  await writeFile(join(target, 'model.safetensors'), safetensors(tensorsOf(checkpoint)));
  checkpoint.close();
  await copyFile(join(source, 'tokenizer.json'), join(target, 'tokenizer.json'));
  const config = JSON.parse(await readFile(join(source, 'config.json'), 'utf8')) as {
    suppress_ids: number[];
  };
  await writeFile(
    join(target, 'config.json'),
    JSON.stringify({ model_type: 'whisper', encoder_attention_heads: checkpoint.sizes.heads }),
  );
  await writeFile(
    join(target, 'generation_config.json'),
    JSON.stringify({ suppress_tokens: config.suppress_ids }),
  );
}

interface Tensor {
  readonly data: Float32Array;
  readonly dims: readonly number[];
}

function tensorsOf(checkpoint: WhisperCheckpoint): Map<string, Tensor> {
  const tensors = new Map<string, Tensor>();
  const set = (name: string, data: Float32Array, dims: readonly number[] = [data.length]) =>
    tensors.set(name, { data, dims });
  const linear = (name: string, layer: Linear) => {
    set(`${name}.weight`, layer.weight, [layer.outputSize, layer.inputSize]);
    if (layer.bias !== undefined) set(`${name}.bias`, layer.bias);
  };
  for (const side of ['encoder', 'decoder'] as const) {
    const count = side === 'encoder' ? checkpoint.sizes.encoderLayers : checkpoint.sizes.decoderLayers;
    const norm = (name: string, place: Parameters<WhisperCheckpoint['norm']>[1]) => {
      const { gain, offset } = checkpoint.norm(side, place);
      set(`${name}.weight`, gain);
      set(`${name}.bias`, offset);
    };
    for (let layer = 0; layer < count; layer += 1) {
      const prefix = `model.${side}.layers.${layer}`;
      for (const kind of side === 'encoder' ? (['self'] as const) : (['self', 'cross'] as const)) {
        const name = `${prefix}.${kind === 'self' ? 'self_attn' : 'encoder_attn'}`;
        const { query, key, value, output } = checkpoint.attention(side, layer, kind);
        linear(`${name}.q_proj`, query);
        // Whisper's key projection has no bias; CTranslate2 stores zeros.
        linear(`${name}.k_proj`, { ...key, bias: undefined });
        linear(`${name}.v_proj`, value);
        linear(`${name}.out_proj`, output);
        norm(`${name}_layer_norm`, { layer, before: kind });
      }
      const { expand, contract } = checkpoint.feedForward(side, layer);
      linear(`${prefix}.fc1`, expand);
      linear(`${prefix}.fc2`, contract);
      norm(`${prefix}.final_layer_norm`, { layer, before: 'feedForward' });
    }
    norm(`model.${side}.layer_norm`, 'last');
  }
  for (const index of [1, 2] as const) {
    const { weight, bias, dims } = checkpoint.convolution(index);
    set(`model.encoder.conv${index}.weight`, weight, dims);
    set(`model.encoder.conv${index}.bias`, bias);
  }
  const { width, vocabulary, audioPositions, textPositions } = checkpoint.sizes;
  for (const [name, table, rows] of [
    ['encoder.embed_positions', checkpoint.audioPositions(), audioPositions],
    ['decoder.embed_positions', checkpoint.textPositions(), textPositions],
    ['decoder.embed_tokens', checkpoint.tokens(), vocabulary],
  ] as const) {
    set(`model.${name}.weight`, table, [rows, width]);
  }
  return tensors;
}

function safetensors(tensors: ReadonlyMap<string, Tensor>): Buffer {
  let offset = 0;
  const header: Record<string, unknown> = {};
  for (const [name, { data, dims }] of tensors) {
    header[name] = { dtype: 'F32', shape: dims, data_offsets: [offset, offset + data.byteLength] };
    offset += data.byteLength;
  }
  const json = Buffer.from(JSON.stringify(header));
  const bytes = [...tensors.values()].map(({ data }) =>
    Buffer.from(data.buffer, data.byteOffset, data.byteLength),
  );
  return Buffer.concat([Buffer.from(BigUint64Array.of(BigInt(json.length)).buffer), json, ...bytes]);
}
