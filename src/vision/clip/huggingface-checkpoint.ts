/** Hugging Face's CLIP and SigLIP layouts (transformers, modeling_clip.py and modeling_siglip.py), TinyCLIP's among them. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { AppError } from '../../base/errors.ts';
import { splitLayer } from '../../graphs/layers.ts';
import { openPytorchWeights } from '../../graphs/pytorch-weights.ts';
import { openSafetensorsWeights } from '../../graphs/safetensors-weights.ts';
import type { Activation, TransformerLayer } from '../../graphs/transformer.ts';
import { countLayers, type Weights } from '../../graphs/weight-file.ts';
import {
  type ClipCheckpoint,
  type ImageTower,
  linearOf,
  type Pooling,
  requireHeads,
  type TextTower,
  type Tower,
} from './checkpoint.ts';

const ACTIVATIONS = {
  gelu: 'gelu',
  quick_gelu: 'quick_gelu',
  gelu_pytorch_tanh: 'gelu_tanh',
} as const satisfies Record<string, Activation>;

type Family = 'clip' | 'siglip';

const towerSchema = z.object({
  hidden_act: z.string().optional(),
  layer_norm_eps: z.number().optional(),
  num_attention_heads: z.int().optional(),
});

const configSchema = z.object({
  model_type: z.enum(['clip', 'siglip']),
  vision_config: towerSchema.optional(),
  text_config: towerSchema.optional(),
});

/** What transformers takes where a configuration says nothing. */
const DEFAULTS = {
  clip: { activation: 'quick_gelu', epsilon: 1e-5, visionHeads: 12, textHeads: 8 },
  siglip: { activation: 'gelu_pytorch_tanh', epsilon: 1e-6, visionHeads: 12, textHeads: 12 },
} as const;

interface Layout {
  readonly weights: Weights;
  readonly family: Family;
  readonly origin: string;
}

type TowerConfig = z.output<typeof towerSchema>;

export function openHuggingFaceClip(directory: string, json: unknown): ClipCheckpoint {
  const parsed = configSchema.safeParse(json);
  if (!parsed.success)
    throw new AppError(
      'unsupported_model',
      `${directory} is not a CLIP or SigLIP model: its config.json has another model_type.`,
    );
  const { model_type: family, vision_config: vision = {}, text_config: text = {} } = parsed.data;
  const weights = openWeights(directory);
  const layout: Layout = { weights, family, origin: directory };
  return {
    image: imageTower(layout, vision),
    text: textTower(layout, text),
    logitScale: Math.exp(weights.read('logit_scale')[0]!),
    logitBias: family === 'siglip' ? weights.read('logit_bias')[0] : undefined,
    close: () => weights.close(),
  };
}

function openWeights(directory: string): Weights {
  const pickle = join(directory, 'pytorch_model.bin');
  return existsSync(pickle) ? openPytorchWeights(pickle) : openSafetensorsWeights(directory);
}

function imageTower(layout: Layout, config: TowerConfig): ImageTower {
  const { weights, family } = layout;
  const root = 'vision_model';
  const patches = `${root}.embeddings.patch_embedding`;
  const [, , patchSize = 0] = weights.dims(`${patches}.weight`);
  const [positions = 0] = weights.dims(`${root}.embeddings.position_embedding.weight`);
  const hasClass = weights.has(`${root}.embeddings.class_embedding`);
  const side = Math.sqrt(positions - (hasClass ? 1 : 0));
  if (!Number.isInteger(side))
    throw new AppError('unsupported_model', `${layout.origin}: ${positions} positions are no square.`);
  // The misspelt name is transformers' own.
  const first = `${root}.pre_layrnorm`;
  return {
    ...tower(layout, { root, config, last: 'post_layernorm', heads: DEFAULTS[family].visionHeads }),
    imageSize: side * patchSize,
    patchSize,
    patches: () => ({
      weight: weights.read(`${patches}.weight`),
      bias: weights.has(`${patches}.bias`) ? weights.read(`${patches}.bias`) : undefined,
    }),
    positions: () => weights.read(`${root}.embeddings.position_embedding.weight`),
    classEmbedding: () => (hasClass ? weights.read(`${root}.embeddings.class_embedding`) : undefined),
    first: () => (weights.has(`${first}.weight`) ? norm(layout, first, config) : undefined),
    pooling: () =>
      family === 'clip'
        ? { kind: 'class', projection: linearOf(weights, 'visual_projection.weight') }
        : attentionPooling(layout, config),
  };
}

function attentionPooling(layout: Layout, config: TowerConfig): Pooling {
  const { weights } = layout;
  const root = 'vision_model.head';
  const [query, key, value] = splitLayer(
    linearOf(weights, `${root}.attention.in_proj_weight`, `${root}.attention.in_proj_bias`),
    3,
  );
  return {
    kind: 'attention',
    probe: weights.read(`${root}.probe`),
    attention: {
      query: query!,
      key: key!,
      value: value!,
      output: named(weights, `${root}.attention.out_proj`),
    },
    norm: norm(layout, `${root}.layernorm`, config),
    feedForward: { expand: named(weights, `${root}.mlp.fc1`), contract: named(weights, `${root}.mlp.fc2`) },
  };
}

function textTower(layout: Layout, config: TowerConfig): TextTower {
  const { weights, family } = layout;
  const root = 'text_model';
  const tokens = `${root}.embeddings.token_embedding.weight`;
  const positions = `${root}.embeddings.position_embedding.weight`;
  return {
    ...tower(layout, { root, config, last: 'final_layer_norm', heads: DEFAULTS[family].textHeads }),
    vocabulary: weights.dims(tokens)[0]!,
    contextLength: weights.dims(positions)[0]!,
    isCausal: family === 'clip',
    tokens: () => weights.read(tokens),
    positions: () => weights.read(positions),
    projection: () =>
      family === 'clip' ? linearOf(weights, 'text_projection.weight') : named(weights, `${root}.head`),
  };
}

function tower(
  layout: Layout,
  options: {
    readonly root: string;
    readonly config: TowerConfig;
    readonly last: string;
    readonly heads: number;
  },
): Tower {
  const { weights, family, origin } = layout;
  const { root, config, last, heads } = options;
  const layers = `${root}.encoder.layers`;
  const [width = 0] = weights.dims(`${root}.${last}.weight`);
  return {
    width,
    heads: requireHeads(config.num_attention_heads ?? heads, width, origin),
    layers: countLayers((index) => weights.has(`${layers}.${index}.mlp.fc1.weight`)),
    activation: activationOf(config.hidden_act ?? DEFAULTS[family].activation, origin),
    layer: (index): TransformerLayer => {
      const prefix = `${layers}.${index}`;
      return {
        beforeAttention: norm(layout, `${prefix}.layer_norm1`, config),
        attention: {
          query: named(weights, `${prefix}.self_attn.q_proj`),
          key: named(weights, `${prefix}.self_attn.k_proj`),
          value: named(weights, `${prefix}.self_attn.v_proj`),
          output: named(weights, `${prefix}.self_attn.out_proj`),
        },
        beforeFeedForward: norm(layout, `${prefix}.layer_norm2`, config),
        feedForward: {
          expand: named(weights, `${prefix}.mlp.fc1`),
          contract: named(weights, `${prefix}.mlp.fc2`),
        },
      };
    },
    last: () => norm(layout, `${root}.${last}`, config),
  };
}

function activationOf(name: string, origin: string): Activation {
  const known = Object.entries(ACTIVATIONS).find(([spelling]) => spelling === name);
  if (known !== undefined) return known[1];
  throw new AppError('unsupported_model', `${origin}: the activation "${name}" is not known.`);
}

function norm({ weights, family }: Layout, name: string, config: TowerConfig) {
  return {
    gain: weights.read(`${name}.weight`),
    offset: weights.read(`${name}.bias`),
    epsilon: config.layer_norm_eps ?? DEFAULTS[family].epsilon,
  };
}

function named(weights: Weights, name: string) {
  return linearOf(weights, `${name}.weight`, `${name}.bias`);
}
