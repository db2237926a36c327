/** OpenCLIP's own layout (open_clip/model.py, class CLIP): `open_clip_config.json` and `open_clip_model.safetensors`. */
import { z } from 'zod';
import { AppError } from '../../base/errors.ts';
import { splitLayer, transpose } from '../../graphs/layers.ts';
import { openSafetensorsWeights } from '../../graphs/safetensors-weights.ts';
import type { Activation, TransformerLayer } from '../../graphs/transformer.ts';
import { countLayers, type Weights } from '../../graphs/weight-file.ts';
import {
  type ClipCheckpoint,
  type ImageTower,
  linearOf,
  requireHeads,
  type TextTower,
  type Tower,
} from './checkpoint.ts';

const OPENCLIP_STEM = 'open_clip_model';
/** Where a configuration says nothing (open_clip/model.py, `CLIPVisionCfg` and `CLIPTextCfg`). */
const HEAD_WIDTH = 64;
const TEXT_HEADS = 8;

const configSchema = z.object({
  model_cfg: z.object({
    quick_gelu: z.boolean().optional(),
    vision_cfg: z.looseObject({ head_width: z.int().optional() }),
    text_cfg: z.looseObject({ heads: z.int().optional() }),
  }),
});

/** Settings that change what is computed, and that no graph here computes. */
const UNSUPPORTED = [
  'timm_model_name',
  'hf_model_name',
  'ls_init_value',
  'attentional_pool',
  'no_ln_pre',
  'no_causal_mask',
  'embed_cls',
  'pos_embed_type',
  'pool_type',
  'final_ln_after_pool',
  'norm_kwargs',
  'act_kwargs',
];

export function openOpenClip(directory: string, json: unknown): ClipCheckpoint {
  const parsed = configSchema.safeParse(json);
  if (!parsed.success)
    throw new AppError('unsupported_model', `${directory} has no model_cfg of an OpenCLIP model.`);
  const { quick_gelu: isQuick = false, vision_cfg: vision, text_cfg: text } = parsed.data.model_cfg;
  requirePlain(vision, directory);
  requirePlain(text, directory);
  const weights = openSafetensorsWeights(directory, OPENCLIP_STEM);
  const activation: Activation = isQuick ? 'quick_gelu' : 'gelu';
  const context = { weights, activation, origin: directory };
  return {
    // Looked at when it is asked for: one that is no transformer may still have a text encoder that is wanted.
    get image() {
      return imageTower(context, vision.head_width ?? HEAD_WIDTH);
    },
    text: textTower(context, text.heads ?? TEXT_HEADS),
    logitScale: Math.exp(weights.read('logit_scale')[0]!),
    logitBias: weights.has('logit_bias') ? weights.read('logit_bias')[0] : undefined,
    close: () => weights.close(),
  };
}

function requirePlain(config: Readonly<Record<string, unknown>>, origin: string): void {
  const found = UNSUPPORTED.find((name) => config[name]);
  // Named, but as it always is.
  if (found === undefined || (found === 'pool_type' && ['tok', 'argmax'].includes(String(config[found]))))
    return;
  throw new AppError(
    'unsupported_model',
    `${origin}: OpenCLIP's "${found}" is not supported; plain vision transformers are.`,
  );
}

interface Context {
  readonly weights: Weights;
  readonly activation: Activation;
  readonly origin: string;
}

function imageTower(context: Context, headWidth: number): ImageTower {
  const { weights, origin } = context;
  const [width = 0, , patchSize = 0] = weights.dims('visual.conv1.weight');
  const [positions = 0] = weights.dims('visual.positional_embedding');
  return {
    ...tower(context, {
      root: 'visual.transformer',
      last: 'visual.ln_post',
      heads: requireHeads(width / headWidth, width, origin),
    }),
    imageSize: Math.sqrt(positions - 1) * patchSize,
    patchSize,
    patches: () => ({ weight: weights.read('visual.conv1.weight'), bias: undefined }),
    positions: () => weights.read('visual.positional_embedding'),
    classEmbedding: () => weights.read('visual.class_embedding'),
    first: () => norm(weights, 'visual.ln_pre'),
    pooling: () => ({ kind: 'class', projection: turned(weights, 'visual.proj') }),
  };
}

function textTower(context: Context, heads: number): TextTower {
  const { weights, origin } = context;
  const [vocabulary = 0, width = 0] = weights.dims('token_embedding.weight');
  return {
    ...tower(context, { root: 'transformer', last: 'ln_final', heads: requireHeads(heads, width, origin) }),
    vocabulary,
    contextLength: weights.dims('positional_embedding')[0]!,
    isCausal: true,
    tokens: () => weights.read('token_embedding.weight'),
    positions: () => weights.read('positional_embedding'),
    projection: () => turned(weights, 'text_projection'),
  };
}

function tower(
  { weights, activation }: Context,
  { root, last, heads }: { readonly root: string; readonly last: string; readonly heads: number },
): Tower {
  const blocks = `${root}.resblocks`;
  return {
    width: weights.dims(`${last}.weight`)[0]!,
    heads,
    layers: countLayers((index) => weights.has(`${blocks}.${index}.mlp.c_fc.weight`)),
    activation,
    layer: (index): TransformerLayer => {
      const prefix = `${blocks}.${index}`;
      const [query, key, value] = splitLayer(
        linearOf(weights, `${prefix}.attn.in_proj_weight`, `${prefix}.attn.in_proj_bias`),
        3,
      );
      return {
        beforeAttention: norm(weights, `${prefix}.ln_1`),
        attention: {
          query: query!,
          key: key!,
          value: value!,
          output: named(weights, `${prefix}.attn.out_proj`),
        },
        beforeFeedForward: norm(weights, `${prefix}.ln_2`),
        feedForward: {
          expand: named(weights, `${prefix}.mlp.c_fc`),
          contract: named(weights, `${prefix}.mlp.c_proj`),
        },
      };
    },
    last: () => norm(weights, last),
  };
}

function norm(weights: Weights, name: string) {
  return { gain: weights.read(`${name}.weight`), offset: weights.read(`${name}.bias`) };
}

function named(weights: Weights, name: string) {
  return linearOf(weights, `${name}.weight`, `${name}.bias`);
}

/** Rows are multiplied from the left: [in × out]. */
function turned(weights: Weights, name: string) {
  const [inputSize = 0, outputSize = 0] = weights.dims(name);
  return {
    weight: transpose(weights.read(name), inputSize, outputSize),
    bias: undefined,
    inputSize,
    outputSize,
  };
}
