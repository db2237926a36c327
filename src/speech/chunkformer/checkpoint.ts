/** A ChunkFormer model in its native directory: config.yaml, vocab.txt, global_cmvn and PyTorch's weights. Sizes come from the tensors. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { AppError } from '../../base/errors.ts';
import { openPytorchWeights } from '../../graphs/pytorch-weights.ts';
import type { Weights } from '../../graphs/weight-file.ts';
import { CHUNKFORMER_WEIGHTS } from '../../store/checkpoint.ts';
import { type ChunkFormerConfig, readChunkFormerConfig } from '../../store/chunkformer-config.ts';

export interface ChunkFormerSizes {
  /** Width of the hidden state. */
  readonly width: number;
  readonly heads: number;
  /** Bands of the filter bank. */
  readonly bins: number;
  readonly layers: number;
  /** Width inside the feed-forward parts. */
  readonly inner: number;
  /** Taps of the convolution over frames; odd. */
  readonly kernel: number;
  /** Symbols, the blank among them. */
  readonly vocabulary: number;
}

export interface ChunkFormerCheckpoint {
  readonly sizes: ChunkFormerSizes;
  /** Epsilon of the layer norm after the last block. */
  readonly lastNormEpsilon: number;
  /** Mean and 1 / standard deviation of each band. */
  readonly normalisation: { readonly mean: Float32Array; readonly scale: Float32Array };
  /** A tensor by its name in the checkpoint. Throws `unsupported_model` unless it has this form. */
  read(name: string, dims: readonly number[]): Float32Array;
  close(): void;
}

/** Frames and channels of a band after three convolutions of kernel 3 and stride 2 without padding. */
export function afterSubsampling(length: number): number {
  let rest = length;
  for (let step = 0; step < 3; step += 1) rest = Math.floor((rest - 3) / 2) + 1;
  return rest;
}

/** Throws `unsupported_model` when the directory holds no CTC model that can be run. */
export function openChunkFormerCheckpoint(directory: string): ChunkFormerCheckpoint {
  const config = readConfig(directory);
  const file = CHUNKFORMER_WEIGHTS.find((name) => existsSync(join(directory, name)));
  if (file === undefined)
    throw new AppError(
      'unsupported_model',
      `${directory} holds no ${CHUNKFORMER_WEIGHTS.join(', ')}. Pull or import the model again.`,
    );
  const weights = openPytorchWeights(join(directory, file));
  try {
    return checkpointOf(weights, { directory, config });
  } catch (error) {
    weights.close();
    throw error;
  }
}

function checkpointOf(
  weights: Weights,
  { directory, config }: { readonly directory: string; readonly config: ChunkFormerConfig },
): ChunkFormerCheckpoint {
  const sizes = sizesOf(weights, config);
  if (sizes.width % sizes.heads !== 0 || sizes.kernel % 2 === 0)
    throw new AppError(
      'unsupported_model',
      `${directory}: a width of ${sizes.width} with ${sizes.heads} heads and convolutions of ${sizes.kernel} taps cannot be run.`,
    );
  const read = (name: string, dims: readonly number[]) => {
    const found = weights.dims(name);
    if (found.join() === dims.join()) return weights.read(name);
    throw new AppError(
      'unsupported_model',
      `${directory}: the tensor ${name} is [${found.join(', ')}], expected [${dims.join(', ')}].`,
    );
  };
  return {
    sizes,
    lastNormEpsilon: config.lastNormEpsilon,
    normalisation: readNormalisation(weights, { directory, config, read }),
    read,
    close: () => weights.close(),
  };
}

function sizesOf(weights: Weights, { bins }: ChunkFormerConfig): ChunkFormerSizes {
  const length = (name: string, axis: number) => weights.dims(name)[axis] ?? 0;
  let layers = 0;
  while (weights.has(`encoder.encoders.${layers}.norm_final.weight`)) layers += 1;
  return {
    width: length('encoder.embed.out.weight', 0),
    heads: length('encoder.encoders.0.self_attn.pos_bias_u', 0),
    bins,
    layers,
    inner: length('encoder.encoders.0.feed_forward.w_1.weight', 0),
    kernel: length('encoder.encoders.0.conv_module.depthwise_conv.weight', 2),
    vocabulary: length('ctc.ctc_lo.weight', 0),
  };
}

/** As the Python package: what the checkpoint holds goes before the file, and a model may have none. */
function readNormalisation(
  weights: Weights,
  {
    directory,
    config,
    read,
  }: {
    readonly directory: string;
    readonly config: ChunkFormerConfig;
    readonly read: ChunkFormerCheckpoint['read'];
  },
): ChunkFormerCheckpoint['normalisation'] {
  const { bins } = config;
  const [mean, scale] = ['encoder.global_cmvn.mean', 'encoder.global_cmvn.istd'];
  if (weights.has(mean)) return { mean: read(mean, [bins]), scale: read(scale, [bins]) };
  const path = join(directory, 'global_cmvn');
  if (existsSync(path)) return readStatistics(path, bins);
  if (!config.isNormalised) return { mean: new Float32Array(bins), scale: new Float32Array(bins).fill(1) };
  throw new AppError(
    'unsupported_model',
    `${directory} has no global_cmvn, which its config.yaml asks for. Take it from where the model came from.`,
  );
}

const SMALLEST_VARIANCE = 1e-20;

/** Sums over all frames of training, as JSON. */
function readStatistics(path: string, bins: number): ChunkFormerCheckpoint['normalisation'] {
  const sums = z.array(z.number()).length(bins);
  const schema = z.object({ mean_stat: sums, var_stat: sums, frame_num: z.number().positive() });
  const parsed = schema.safeParse(parseJson(readFileSync(path, 'utf8')));
  if (!parsed.success)
    throw new AppError(
      'unsupported_model',
      `${path} is not the JSON of mean_stat and var_stat for ${bins} bands with frame_num.`,
    );
  const { mean_stat: means, var_stat: squares, frame_num: frames } = parsed.data;
  const mean = Float64Array.from(means, (sum) => sum / frames);
  const variance = mean.map((value, bin) =>
    Math.max(squares[bin]! / frames - value * value, SMALLEST_VARIANCE),
  );
  return {
    mean: Float32Array.from(mean),
    scale: Float32Array.from(variance, (value) => 1 / Math.sqrt(value)),
  };
}

function readConfig(directory: string): ChunkFormerConfig {
  const path = join(directory, 'config.yaml');
  if (existsSync(path)) return readChunkFormerConfig(readFileSync(path, 'utf8'), directory);
  throw new AppError('unsupported_model', `${directory} has no config.yaml. Pull or import the model again.`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
