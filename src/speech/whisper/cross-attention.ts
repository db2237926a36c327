/**
 * How the decoder listens to the audio: the last part of the encoder's graph writes keys and values, each decoder layer attends to them.
 *
 * W windows of T positions, by layer i:
 *   float32  key_i float32 [W × heads × 64 × T] (transposed, so that q·K is a plain product), value_i float32 [W × heads × T × 64]
 *   int8     the same as int8, with key_scale_i and value_scale_i float32 [W × heads × 1 × T]: each position of a head has a scale of
 *            its own. A step reads all of them, so a quarter of the bytes is a step in a third of the time (docs/benchmarks.md).
 */
import type { GraphBuilder, Value } from '../../graphs/graph-builder.ts';
import { CONTRIB, type ComputeType, linears, quantiseRows, rowMaximum } from '../../graphs/layers.ts';
import { byteScalar, type ElementType, int64, scalar, signedByteScalar } from '../../graphs/tensor.ts';
import { HEAD_SIZE, type WhisperCheckpoint, type WhisperSizes } from './checkpoint.ts';

/** What of the audio a layer's attention reads, and how many numbers each position of a head has of it. */
export interface AudioPart {
  readonly name: string;
  readonly type: Extract<ElementType, 'float32' | 'int8'>;
  /** Where positions stand among the last two dimensions. */
  readonly positionsAt: 'last' | 'secondLast';
  readonly numbers: number;
}

const FLOAT_PARTS: readonly AudioPart[] = [
  { name: 'key', type: 'float32', positionsAt: 'last', numbers: HEAD_SIZE },
  { name: 'value', type: 'float32', positionsAt: 'secondLast', numbers: HEAD_SIZE },
];
const INT8_PARTS: readonly AudioPart[] = [
  { name: 'key_scale', type: 'float32', positionsAt: 'last', numbers: 1 },
  { name: 'value_scale', type: 'float32', positionsAt: 'last', numbers: 1 },
  { name: 'key', type: 'int8', positionsAt: 'last', numbers: HEAD_SIZE },
  { name: 'value', type: 'int8', positionsAt: 'secondLast', numbers: HEAD_SIZE },
];

export function audioParts(compute: ComputeType): readonly AudioPart[] {
  return compute === 'int8' ? INT8_PARTS : FLOAT_PARTS;
}

/** [windows × heads × ...] */
export function dimsOf<T extends number | string>(
  { positionsAt, numbers }: AudioPart,
  [windows, positions]: readonly [T, T],
  { heads }: WhisperSizes,
): (T | number)[] {
  return positionsAt === 'last' ? [windows, heads, numbers, positions] : [windows, heads, positions, numbers];
}

/** Outputs of the encoder's graph, from its last hidden states [W × T × width]. */
export function writeAudio(
  graph: GraphBuilder,
  checkpoint: WhisperCheckpoint,
  { hidden, compute }: { readonly hidden: Value; readonly compute: ComputeType },
): void {
  const { heads, decoderLayers } = checkpoint.sizes;
  const split = graph.constant(int64([0, 0, heads, HEAD_SIZE]));
  const layers = Array.from({ length: decoderLayers }, (_, layer) =>
    checkpoint.attention('decoder', layer, 'cross'),
  );
  const projected = linears(graph, hidden, {
    layers: layers.flatMap((attention) => [attention.key, attention.value]),
    compute,
  });
  for (let layer = 0; layer < decoderLayers; layer += 1) {
    const written: Record<string, Value> = {};
    for (const [place, kind] of (['key', 'value'] as const).entries()) {
      const perm = kind === 'key' ? [0, 2, 3, 1] : [0, 2, 1, 3];
      const byHead = graph.node('Reshape', [projected[2 * layer + place]!, split]);
      if (compute === 'float32') {
        written[kind] = graph.node('Transpose', [byHead], { attributes: { perm } });
        continue;
      }
      const { values, maximum } = quantiseRows(graph, byHead, signedByteScalar(0));
      const scales = graph.node('Transpose', [maximum], { attributes: { perm: [0, 2, 3, 1] } });
      written[kind] = graph.node('Transpose', [values], { attributes: { perm } });
      written[`${kind}_scale`] = graph.node('Mul', [scales, graph.constant(scalar(1 / 127))]);
    }
    for (const part of audioParts(compute)) {
      const dims = dimsOf<number | string>(part, ['batch', 'positions'], checkpoint.sizes);
      graph.output(`${part.name}_${layer}`, written[part.name]!, { type: part.type, dims });
    }
  }
}

export interface Attended {
  /** [W × heads × queries × 64] */
  readonly heard: Value;
  /** How much each query listens to each position: [W × heads × queries × T], rows sum to 1. */
  readonly weights: Value;
}

/** Softmax(q·K)·V for queries [W × heads × queries × 64], which are scaled already. Declares the inputs of the layer. */
export function attendAudio(
  graph: GraphBuilder,
  query: Value,
  options: { readonly layer: number; readonly sizes: WhisperSizes; readonly compute: ComputeType },
): Attended {
  const { layer, sizes, compute } = options;
  const inputs: Record<string, Value> = {};
  for (const part of audioParts(compute))
    inputs[part.name] = graph.input(
      `cross_${part.name}_${layer}`,
      part.type,
      dimsOf<number | string>(part, ['windows', 'audio'], sizes),
    );
  const softmax = (scores: Value) => graph.node('Softmax', [scores], { attributes: { axis: -1 } });
  if (compute === 'float32') {
    const weights = softmax(graph.node('MatMul', [query, inputs['key']!]));
    return { heard: graph.node('MatMul', [weights, inputs['value']!]), weights };
  }
  const { values, maximum } = quantiseRows(graph, query);
  const products = byteProduct(graph, [values, inputs['key']!], { step: 1 / 127, zero: 128 });
  const byKey = graph.node('Mul', [products, inputs['key_scale']!]);
  const weights = softmax(graph.node('Mul', [byKey, maximum]));
  // The scale of a value goes to its weight, so that each row of weights has one scale again.
  const scaled = graph.node('Mul', [weights, inputs['value_scale']!]);
  const largest = rowMaximum(graph, scaled);
  const shares = graph.node('QuantizeLinear', [
    graph.node('Div', [scaled, largest]),
    graph.constant(scalar(1 / 255)),
    graph.constant(byteScalar(0)),
  ]);
  const mixed = byteProduct(graph, [shares, inputs['value']!], { step: 1 / 255, zero: 0 });
  return { heard: graph.node('Mul', [mixed, largest]), weights };
}

function byteProduct(
  graph: GraphBuilder,
  [bytes, signed]: readonly [Value, Value],
  { step, zero }: { readonly step: number; readonly zero: number },
): Value {
  const constants = [scalar(step), scalar(1), byteScalar(zero)].map((tensor) => graph.constant(tensor));
  return graph.node('MatMulIntegerToFloat', [bytes, signed, ...constants], { domain: CONTRIB });
}
