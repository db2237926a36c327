/** The weights of one encoder block under the names of the graphs' inputs (`graphs.ts`), in the form that they want. */
import { transpose } from '../../graphs/layers.ts';
import type { NamedTensor } from '../../graphs/safetensors-file.ts';
import type { ChunkFormerCheckpoint } from './checkpoint.ts';

/** Which weights each graph of a block takes. */
export const GRAPH_WEIGHTS = {
  project: [
    ...feedForwardNames('first'),
    ...pair('attention_norm'),
    ...pair('query'),
    ...pair('key'),
    ...pair('value'),
  ],
  attend: ['content_bias', 'place_bias', ...pair('output'), ...pair('convolution_norm'), ...pair('gate')],
  finish: [
    ...pair('filter'),
    ...pair('filter_norm'),
    ...pair('mix'),
    ...feedForwardNames('second'),
    ...pair('final_norm'),
  ],
  positions: ['place_weight'],
} as const satisfies Record<string, readonly string[]>;

function pair(name: string): [string, string] {
  return [`${name}_weight`, `${name}_bias`];
}

function feedForwardNames(name: string): string[] {
  return [`${name}_norm`, `${name}_expand`, `${name}_contract`].flatMap(pair);
}

/** Named by their graph inputs; matrices lie [in × out]. */
export function layerWeights({ sizes, read }: ChunkFormerCheckpoint, layer: number): NamedTensor[] {
  const { width, heads, inner, kernel } = sizes;
  const size = width / heads;
  const tensors: NamedTensor[] = [];
  const add = (name: string, source: string, form: Form) => {
    const { dims, scale = 1, stored = dims } = form;
    const isMatrix = dims.length === 2 && form.stored !== undefined;
    tensors.push({
      name,
      dims,
      read() {
        const values = read(`encoder.encoders.${layer}.${source}`, stored);
        const ordered = isMatrix ? transpose(values, dims[1]!, dims[0]!) : values;
        return scale === 1 ? ordered : ordered.map((value) => value * scale);
      },
    });
  };
  const norm = (name: string, source: string) => {
    add(`${name}_weight`, `${source}.weight`, { dims: [width] });
    add(`${name}_bias`, `${source}.bias`, { dims: [width] });
  };
  /** `ones` are the taps of a convolution that is a plain matrix. */
  const matrix = (
    name: string,
    source: string,
    form: { from: number; to: number; scale?: number; ones?: 1 },
  ) => {
    const { from, to, scale = 1 } = form;
    const stored = form.ones === undefined ? [to, from] : [to, from, form.ones];
    add(`${name}_weight`, `${source}.weight`, { dims: [from, to], stored, scale });
    add(`${name}_bias`, `${source}.bias`, { dims: [to], scale });
  };
  const feedForward = (name: string, source: string) => {
    matrix(`${name}_expand`, `${source}.w_1`, { from: width, to: inner });
    matrix(`${name}_contract`, `${source}.w_2`, { from: inner, to: width, scale: 0.5 });
  };

  norm('first_norm', 'norm_ff_macaron');
  feedForward('first', 'feed_forward_macaron');
  norm('attention_norm', 'norm_mha');
  // Scores are divided by the root of a head's size: so are the queries and what is added to them.
  const scale = 1 / Math.sqrt(size);
  matrix('query', 'self_attn.linear_q', { from: width, to: width, scale });
  matrix('key', 'self_attn.linear_k', { from: width, to: width });
  matrix('value', 'self_attn.linear_v', { from: width, to: width });
  add('content_bias', 'self_attn.pos_bias_u', { dims: [heads, size], scale });
  add('place_bias', 'self_attn.pos_bias_v', { dims: [heads, size], scale });
  add('place_weight', 'self_attn.linear_pos.weight', { dims: [width, width], stored: [width, width] });
  matrix('output', 'self_attn.linear_out', { from: width, to: width });
  norm('convolution_norm', 'norm_conv');
  matrix('gate', 'conv_module.pointwise_conv1', { from: width, to: 2 * width, ones: 1 });
  add('filter_weight', 'conv_module.depthwise_conv.weight', { dims: [width, 1, kernel] });
  add('filter_bias', 'conv_module.depthwise_conv.bias', { dims: [width] });
  norm('filter_norm', 'conv_module.norm');
  matrix('mix', 'conv_module.pointwise_conv2', { from: width, to: width, ones: 1 });
  norm('second_norm', 'norm_ff');
  feedForward('second', 'feed_forward');
  norm('final_norm', 'norm_final');
  return tensors;
}

interface Form {
  readonly dims: readonly number[];
  /** The form in the checkpoint, of a matrix [out × in] that is to be turned; else it is `dims`. */
  readonly stored?: readonly number[];
  readonly scale?: number;
}
