/**
 * A Whisper checkpoint on disk, CTranslate2's or Hugging Face's, as the same named layers. Sizes come from the tensors and the
 * configuration, never from the model's name.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '../../base/errors.ts';
import { openCtranslate2Weights } from '../../graphs/ctranslate2-weights.ts';
import { type Linear, splitLayer } from '../../graphs/layers.ts';
import { openSafetensorsWeights } from '../../graphs/safetensors-weights.ts';
import type { Attention, FeedForward, Norm } from '../../graphs/transformer.ts';
import { countLayers, type Weights } from '../../graphs/weight-file.ts';

export interface WhisperSizes {
  /** Width of the hidden state. */
  readonly width: number;
  /** Attention heads of 64 channels each. */
  readonly heads: number;
  readonly melBins: number;
  readonly encoderLayers: number;
  readonly decoderLayers: number;
  readonly vocabulary: number;
  /** Longest encoder sequence: 1500 positions of 20 ms. */
  readonly audioPositions: number;
  /** Longest token sequence: 448. */
  readonly textPositions: number;
}

export type Side = 'encoder' | 'decoder';

/** A 1-D convolution of kernel 3: weight [out × in × 3], bias [out]. */
export interface Convolution {
  readonly weight: Float32Array;
  readonly bias: Float32Array;
  readonly dims: readonly number[];
}

export interface WhisperCheckpoint {
  readonly sizes: WhisperSizes;
  convolution(index: 1 | 2): Convolution;
  /** [1500 × width] */
  audioPositions(): Float32Array;
  /** [448 × width] */
  textPositions(): Float32Array;
  /** [vocabulary × width], also the projection to logits. */
  tokens(): Float32Array;
  /** The norm before a part of a layer, or the one after the last layer. */
  norm(
    side: Side,
    place: { readonly layer: number; readonly before: 'self' | 'cross' | 'feedForward' } | 'last',
  ): Norm;
  attention(side: Side, layer: number, kind: 'self' | 'cross'): Attention;
  feedForward(side: Side, layer: number): FeedForward;
  close(): void;
}

/** Channels of one head, in every Whisper size (openai/whisper model.py). */
export const HEAD_SIZE = 64;

/** Opens the checkpoint in `directory`. Throws `unsupported_model` when there is none that can be read. */
export function openWhisperCheckpoint(directory: string): WhisperCheckpoint {
  const binary = join(directory, 'model.bin');
  if (existsSync(binary)) return ctranslate2Checkpoint(openCtranslate2Weights(binary, 'WhisperSpec'));
  if (
    existsSync(join(directory, 'model.safetensors')) ||
    existsSync(join(directory, 'model.safetensors.index.json'))
  ) {
    return huggingFaceCheckpoint(openSafetensorsWeights(directory), directory);
  }
  throw new AppError(
    'unsupported_model',
    `${directory} holds neither model.bin (CTranslate2) nor model.safetensors (Hugging Face). Pull or import the model again.`,
  );
}

function ctranslate2Checkpoint(weights: Weights): WhisperCheckpoint {
  const read = (name: string) => weights.read(name);
  const norm = (prefix: string) => ({ gain: read(`${prefix}/gamma`), offset: read(`${prefix}/beta`) });
  const linear = (prefix: string) => linearOf(read(`${prefix}/weight`), read(`${prefix}/bias`));
  const [width = 0, melBins = 0] = weights.dims('encoder/conv1/weight');
  return {
    sizes: {
      width,
      heads: width / HEAD_SIZE,
      melBins,
      encoderLayers: countLayers((layer) => weights.has(`encoder/layer_${layer}/ffn/linear_0/weight`)),
      decoderLayers: countLayers((layer) => weights.has(`decoder/layer_${layer}/ffn/linear_0/weight`)),
      vocabulary: weights.dims('decoder/embeddings/weight')[0]!,
      audioPositions: weights.dims('encoder/position_encodings/encodings')[0]!,
      textPositions: weights.dims('decoder/position_encodings/encodings')[0]!,
    },
    convolution: (index) => ({
      weight: read(`encoder/conv${index}/weight`),
      bias: read(`encoder/conv${index}/bias`),
      dims: weights.dims(`encoder/conv${index}/weight`),
    }),
    audioPositions: () => read('encoder/position_encodings/encodings'),
    textPositions: () => read('decoder/position_encodings/encodings'),
    tokens: () => read('decoder/embeddings/weight'),
    norm: (side, place) => {
      if (place === 'last') return norm(`${side}/layer_norm`);
      const part = { self: 'self_attention', cross: 'attention', feedForward: 'ffn' }[place.before];
      return norm(`${side}/layer_${place.layer}/${part}/layer_norm`);
    },
    attention: (side, layer, kind) => {
      const prefix = `${side}/layer_${layer}/${kind === 'self' ? 'self_attention' : 'attention'}`;
      const first = linear(`${prefix}/linear_0`);
      // Self attention fuses query, key and value into one matrix; cross attention fuses key and value.
      const [query, key, value] =
        kind === 'self' ? splitLayer(first, 3) : [first, ...splitLayer(linear(`${prefix}/linear_1`), 2)];
      const output = linear(`${prefix}/linear_${kind === 'self' ? 1 : 2}`);
      return { query: query!, key: key!, value: value!, output };
    },
    feedForward: (side, layer) => {
      const prefix = `${side}/layer_${layer}/ffn`;
      return { expand: linear(`${prefix}/linear_0`), contract: linear(`${prefix}/linear_1`) };
    },
    close: () => weights.close(),
  };
}

function huggingFaceCheckpoint(weights: Weights, directory: string): WhisperCheckpoint {
  const root = weights.has('model.encoder.conv1.weight') ? 'model.' : '';
  const read = (name: string) => weights.read(`${root}${name}`);
  const has = (name: string) => weights.has(`${root}${name}`);
  const dims = (name: string) => weights.dims(`${root}${name}`);
  const norm = (prefix: string) => ({ gain: read(`${prefix}.weight`), offset: read(`${prefix}.bias`) });
  const linear = (prefix: string) =>
    linearOf(read(`${prefix}.weight`), has(`${prefix}.bias`) ? read(`${prefix}.bias`) : undefined);
  const [width = 0, melBins = 0] = dims('encoder.conv1.weight');
  checkHeads(directory, width);
  return {
    sizes: {
      width,
      heads: width / HEAD_SIZE,
      melBins,
      encoderLayers: countLayers((layer) => has(`encoder.layers.${layer}.fc1.weight`)),
      decoderLayers: countLayers((layer) => has(`decoder.layers.${layer}.fc1.weight`)),
      vocabulary: dims('decoder.embed_tokens.weight')[0]!,
      audioPositions: dims('encoder.embed_positions.weight')[0]!,
      textPositions: dims('decoder.embed_positions.weight')[0]!,
    },
    convolution: (index) => ({
      weight: read(`encoder.conv${index}.weight`),
      bias: read(`encoder.conv${index}.bias`),
      dims: dims(`encoder.conv${index}.weight`),
    }),
    audioPositions: () => read('encoder.embed_positions.weight'),
    textPositions: () => read('decoder.embed_positions.weight'),
    tokens: () => read('decoder.embed_tokens.weight'),
    norm: (side, place) => {
      if (place === 'last') return norm(`${side}.layer_norm`);
      const part = { self: 'self_attn', cross: 'encoder_attn', feedForward: 'final' }[place.before];
      return norm(`${side}.layers.${place.layer}.${part}_layer_norm`);
    },
    attention: (side, layer, kind) => {
      const prefix = `${side}.layers.${layer}.${kind === 'self' ? 'self_attn' : 'encoder_attn'}`;
      return {
        query: linear(`${prefix}.q_proj`),
        key: linear(`${prefix}.k_proj`),
        value: linear(`${prefix}.v_proj`),
        output: linear(`${prefix}.out_proj`),
      };
    },
    feedForward: (side, layer) => {
      const prefix = `${side}.layers.${layer}`;
      return { expand: linear(`${prefix}.fc1`), contract: linear(`${prefix}.fc2`) };
    },
    close: () => weights.close(),
  };
}

/** Hugging Face states the number of heads; another head size than 64 would need other graphs. */
function checkHeads(directory: string, width: number): void {
  const path = join(directory, 'config.json');
  const config = JSON.parse(readFileSync(path, 'utf8')) as { encoder_attention_heads?: number };
  const heads = config.encoder_attention_heads;
  if (heads !== undefined && heads * HEAD_SIZE !== width) {
    throw new AppError(
      'unsupported_model',
      `${path}: ${heads} heads of a width of ${width}; heads of ${HEAD_SIZE} channels are supported.`,
    );
  }
}

function linearOf(weight: Float32Array, bias: Float32Array | undefined): Linear {
  // A layer without bias is square (Whisper's key projection), so its output size is the root.
  const outputSize = bias?.length ?? Math.sqrt(weight.length);
  return { weight, bias, outputSize, inputSize: weight.length / outputSize };
}
