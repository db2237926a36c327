/**
 * Whisper's audio encoder as an ONNX graph (openai/whisper model.py, `AudioEncoder`), with the decoder's cross-attention keys and
 * values computed at its end: they depend on the audio alone, so they are computed once and never again.
 *
 * Input   mel      float32 [B × bins × 2T]
 * Outputs key_i, value_i and, at int8, their scales, for each decoder layer i: as `cross-attention.ts` says
 *
 * T is free up to 1500: a window shorter than 30 s costs less, and attention is quadratic in it.
 */
import type { GraphBuilder, Value } from '../../graphs/graph-builder.ts';
import {
  CONTRIB,
  type ComputeType,
  LAYER_NORM_EPSILON,
  linear,
  linearGelu,
  linears,
  withoutBias,
} from '../../graphs/layers.ts';
import { float32, int64 } from '../../graphs/tensor.ts';
import type { Attention, Norm, WhisperCheckpoint } from './checkpoint.ts';
import { writeAudio } from './cross-attention.ts';

export function buildEncoder(graph: GraphBuilder, checkpoint: WhisperCheckpoint, compute: ComputeType): void {
  const { sizes } = checkpoint;
  const mel = graph.input('mel', 'float32', ['batch', sizes.melBins, 'frames']);
  let stream = embedAudio(graph, checkpoint, mel);
  let normed = layerNorm(graph, stream, checkpoint.norm('encoder', { layer: 0, before: 'self' }));

  for (let layer = 0; layer < sizes.encoderLayers; layer += 1) {
    const attention = checkpoint.attention('encoder', layer, 'self');
    const projections = linears(graph, normed, {
      layers: [attention.query, attention.key, attention.value].map(withoutBias),
      compute,
    });
    const context = graph.node('MultiHeadAttention', [...projections, attentionBias(graph, attention)], {
      domain: CONTRIB,
      attributes: { num_heads: sizes.heads },
    });
    const attended = linear(graph, context, { layer: withoutBias(attention.output), compute });
    [normed, stream] = addAndNorm(graph, [attended, stream], {
      norm: checkpoint.norm('encoder', { layer, before: 'feedForward' }),
      bias: attention.output.bias!,
    });

    const isLast = layer + 1 === sizes.encoderLayers;
    const next = checkpoint.norm('encoder', isLast ? 'last' : { layer: layer + 1, before: 'self' });
    const feedForward = checkpoint.feedForward('encoder', layer);
    const expanded = linearGelu(graph, normed, { layer: feedForward.expand, compute });
    const contracted = linear(graph, expanded, { layer: withoutBias(feedForward.contract), compute });
    [normed, stream] = addAndNorm(graph, [contracted, stream], {
      norm: next,
      bias: feedForward.contract.bias!,
    });
  }
  writeAudio(graph, checkpoint, { hidden: normed, compute });
}

/** Two convolutions (the second halves the frames), then the sinusoidal positions of the first T. */
function embedAudio(graph: GraphBuilder, checkpoint: WhisperCheckpoint, mel: Value): Value {
  const { sizes } = checkpoint;
  let value = mel;
  for (const index of [1, 2] as const) {
    const { weight, bias, dims } = checkpoint.convolution(index);
    value = graph.node(
      'Conv',
      [value, graph.constant(float32(weight, dims)), graph.constant(float32(bias))],
      {
        attributes: { kernel_shape: [3], pads: [1, 1], strides: [index] },
      },
    );
    value = graph.node('Gelu', [value]);
  }
  const embedded = graph.node('Transpose', [value], { attributes: { perm: [0, 2, 1] } });
  const positions = graph.constant(float32(checkpoint.audioPositions(), [sizes.audioPositions, sizes.width]));
  const length = graph.node('Shape', [embedded], { attributes: { start: 1, end: 2 } });
  const used = graph.node('Slice', [
    positions,
    graph.constant(int64([0])),
    length,
    graph.constant(int64([0])),
  ]);
  return graph.node('Add', [embedded, used]);
}

export function layerNorm(graph: GraphBuilder, input: Value, norm: Norm): Value {
  return graph.node(
    'LayerNormalization',
    [input, graph.constant(float32(norm.gain)), graph.constant(float32(norm.offset))],
    {
      attributes: { epsilon: LAYER_NORM_EPSILON, axis: -1 },
    },
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
