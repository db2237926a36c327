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
import { type ComputeType, linear, withoutBias } from '../../graphs/layers.ts';
import { float32, int64 } from '../../graphs/tensor.ts';
import { addAndNorm, attend, feedForward, layerNorm } from '../../graphs/transformer.ts';
import type { WhisperCheckpoint } from './checkpoint.ts';
import { writeAudio } from './cross-attention.ts';

export function buildEncoder(graph: GraphBuilder, checkpoint: WhisperCheckpoint, compute: ComputeType): void {
  const mel = graph.input('mel', 'float32', ['batch', checkpoint.sizes.melBins, 'frames']);
  writeAudio(graph, checkpoint, { hidden: encodeAudio(graph, mel, { checkpoint, compute }), compute });
}

/** `mel` [B × bins × 2T] to the encoder's own output, [B × T × width]. */
export function encodeAudio(
  graph: GraphBuilder,
  mel: Value,
  { checkpoint, compute }: { readonly checkpoint: WhisperCheckpoint; readonly compute: ComputeType },
): Value {
  const { sizes } = checkpoint;
  let stream = embedAudio(graph, checkpoint, mel);
  let normed = layerNorm(graph, stream, checkpoint.norm('encoder', { layer: 0, before: 'self' }));

  for (let layer = 0; layer < sizes.encoderLayers; layer += 1) {
    const attention = checkpoint.attention('encoder', layer, 'self');
    const context = attend(graph, normed, { attention, heads: sizes.heads, compute });
    const attended = linear(graph, context, { layer: withoutBias(attention.output), compute });
    [normed, stream] = addAndNorm(graph, [attended, stream], {
      norm: checkpoint.norm('encoder', { layer, before: 'feedForward' }),
      bias: attention.output.bias!,
    });

    const isLast = layer + 1 === sizes.encoderLayers;
    const next = checkpoint.norm('encoder', isLast ? 'last' : { layer: layer + 1, before: 'self' });
    const layers = checkpoint.feedForward('encoder', layer);
    const contracted = feedForward(graph, normed, { layers, activation: 'gelu', compute });
    [normed, stream] = addAndNorm(graph, [contracted, stream], {
      norm: next,
      bias: layers.contract.bias!,
    });
  }
  return normed;
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
