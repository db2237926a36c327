/** What the transformers of all models share: attention, feed-forward layers, and the norms between them. */
import type { GraphBuilder, Value } from './graph-builder.ts';
import {
  CONTRIB,
  type ComputeType,
  LAYER_NORM_EPSILON,
  type Linear,
  linear,
  linearGelu,
  linears,
  withoutBias,
} from './layers.ts';
import { float32 } from './tensor.ts';

export interface Norm {
  readonly gain: Float32Array;
  readonly offset: Float32Array;
  /** 1e-5 where it is left out. */
  readonly epsilon?: number;
}

export interface Attention {
  readonly query: Linear;
  readonly key: Linear;
  readonly value: Linear;
  readonly output: Linear;
}

export interface FeedForward {
  readonly expand: Linear;
  readonly contract: Linear;
}

export function layerNorm(graph: GraphBuilder, input: Value, norm: Norm): Value {
  const epsilon = norm.epsilon === undefined ? LAYER_NORM_EPSILON : { float: norm.epsilon };
  return graph.node(
    'LayerNormalization',
    [input, graph.constant(float32(norm.gain)), graph.constant(float32(norm.offset))],
    { attributes: { epsilon, axis: -1 } },
  );
}

/** The biases of query, key and value behind one another, as MultiHeadAttention adds them; Whisper's keys have none. */
export function attentionBias(graph: GraphBuilder, { query, key, value }: Attention): Value {
  const bias = new Float32Array(3 * query.outputSize);
  [query, key, value].forEach((layer, place) => {
    if (layer.bias !== undefined) bias.set(layer.bias, place * query.outputSize);
  });
  return graph.constant(float32(bias));
}

/**
 * With s = a + b + bias: [layer norm of s, s]. Not as SkipLayerNormalization, which ONNX Runtime would make of it (`onnx.ts` forbids that):
 * its kernel takes three times as long.
 */
export function addAndNorm(
  graph: GraphBuilder,
  [a, b]: readonly [Value, Value],
  { norm, bias }: { readonly norm: Norm; readonly bias: Float32Array },
): [Value, Value] {
  const biased = graph.node('Add', [a, graph.constant(float32(bias))]);
  const sum = graph.node('Add', [biased, b]);
  return [layerNorm(graph, sum, norm), sum];
}

/** Of the layer that widens: erf, its approximation by tanh (SigLIP), or x · sigmoid(1.702 x) (OpenAI's CLIP). */
export type Activation = 'gelu' | 'gelu_tanh' | 'quick_gelu';

/** A layer that looks at what it is given before it adds to it ("pre-norm"). */
export interface TransformerLayer {
  readonly beforeAttention: Norm;
  readonly attention: Attention;
  readonly beforeFeedForward: Norm;
  readonly feedForward: FeedForward;
}

export interface AttendOptions {
  readonly attention: Attention;
  readonly heads: number;
  readonly compute: ComputeType;
  /** Each position sees itself and those before it. */
  readonly isCausal?: boolean;
  /** Whose question is asked, where it is not everyone's: normed rows [batch × n × width]. */
  readonly asking?: Value;
}

/** Normed rows [batch × length × width] to what each has gathered from all, before the output projection. */
export function attend(graph: GraphBuilder, normed: Value, options: AttendOptions): Value {
  const { attention, heads, compute, isCausal = false, asking } = options;
  const [query, key, value] = [attention.query, attention.key, attention.value].map(withoutBias);
  const projections =
    asking === undefined
      ? linears(graph, normed, { layers: [query!, key!, value!], compute })
      : [
          linear(graph, asking, { layer: query!, compute }),
          ...linears(graph, normed, { layers: [key!, value!], compute }),
        ];
  return graph.node('MultiHeadAttention', [...projections, attentionBias(graph, attention)], {
    domain: CONTRIB,
    attributes: { num_heads: heads, ...(isCausal ? { unidirectional: 1 } : {}) },
  });
}

/** The two layers without the bias of the second, which `addAndNorm` adds. */
export function feedForward(
  graph: GraphBuilder,
  normed: Value,
  options: { readonly layers: FeedForward; readonly activation: Activation; readonly compute: ComputeType },
): Value {
  const { layers, activation, compute } = options;
  const expanded = activate(graph, normed, { layer: layers.expand, activation, compute });
  return linear(graph, expanded, { layer: withoutBias(layers.contract), compute });
}

function activate(
  graph: GraphBuilder,
  input: Value,
  options: { readonly layer: Linear; readonly activation: Activation; readonly compute: ComputeType },
): Value {
  const { layer, activation, compute } = options;
  switch (activation) {
    case 'gelu':
      return linearGelu(graph, input, { layer, compute });
    case 'gelu_tanh': {
      const product = linear(graph, input, { layer: withoutBias(layer), compute });
      return graph.node('FastGelu', [product, graph.constant(float32(layer.bias!))], { domain: CONTRIB });
    }
    case 'quick_gelu':
      return graph.node('QuickGelu', [linear(graph, input, { layer, compute })], {
        domain: CONTRIB,
        attributes: { alpha: { float: 1.702 } },
      });
  }
}
