/** The layers of either encoder, up to the one row that stands for the whole. */
import type { GraphBuilder, Value } from '../../graphs/graph-builder.ts';
import { type ComputeType, type Linear, linear, withoutBias } from '../../graphs/layers.ts';
import { addAndNorm, attend, feedForward, layerNorm } from '../../graphs/transformer.ts';
import type { Tower } from './checkpoint.ts';

export interface LayerOptions {
  readonly tower: Tower;
  readonly compute: ComputeType;
  readonly isCausal: boolean;
  /**
   * Takes one row of each [batch × length × width] to [batch × 1 × width], where the rest is not wanted: what the last layer need not
   * compute is 8 to 11 % of ViT-B/32.
   */
  readonly pick?: (rows: Value) => Value;
}

/** Embedded rows [batch × length × width] to normed ones of the same shape; of one row each where `pick` says so. */
export function runLayers(graph: GraphBuilder, embedded: Value, options: LayerOptions): Value {
  const { tower, compute, isCausal } = options;
  const { heads, activation } = tower;
  let stream = embedded;
  let layer = tower.layer(0);
  let normed = layerNorm(graph, stream, layer.beforeAttention);
  for (let index = 0; index < tower.layers; index += 1) {
    const isLast = index + 1 === tower.layers;
    const { attention } = layer;
    const pick = isLast ? options.pick : undefined;
    // A causal mask goes by places, which a single question would not have.
    const asking = pick === undefined || isCausal ? undefined : pick(normed);
    const context = attend(graph, normed, { attention, heads, compute, isCausal, ...(asking && { asking }) });
    const gathered = pick !== undefined && isCausal ? pick(context) : context;
    const attended = linear(graph, gathered, { layer: withoutBias(attention.output), compute });
    [normed, stream] = addAndNorm(graph, [attended, pick === undefined ? stream : pick(stream)], {
      norm: layer.beforeFeedForward,
      bias: biasOf(attention.output),
    });
    const { feedForward: layers } = layer;
    const contracted = feedForward(graph, normed, { layers, activation, compute });
    const next = isLast ? undefined : tower.layer(index + 1);
    [normed, stream] = addAndNorm(graph, [contracted, stream], {
      norm: next?.beforeAttention ?? tower.last(),
      bias: biasOf(layers.contract),
    });
    layer = next ?? layer;
  }
  return normed;
}

function biasOf({ bias, outputSize }: Linear): Float32Array {
  return bias ?? new Float32Array(outputSize);
}

/** Rows [batch × width] to embeddings of length 1. Always at float32: it is one layer of one row. */
export function project(graph: GraphBuilder, row: Value, projection: Linear): Value {
  const projected = linear(graph, row, { layer: projection, compute: 'float32' });
  return unitLength(graph, projected);
}

export function unitLength(graph: GraphBuilder, rows: Value): Value {
  return graph.node('LpNormalization', [rows], { attributes: { axis: -1, p: 2 } });
}
