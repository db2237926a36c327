/**
 * The image encoder as an ONNX graph.
 *
 * Input   pixels      uint8 [batch × height × width × 3], RGB as it comes from the front end; the normalisation is part of the weights
 * Output  embeddings  float32 [batch × dimension], of length 1
 */
import { AppError } from '../../base/errors.ts';
import type { GraphBuilder, Value } from '../../graphs/graph-builder.ts';
import { type BytesLayer, bytesLinear, type ComputeType, linear, withoutBias } from '../../graphs/layers.ts';
import { float32, int64 } from '../../graphs/tensor.ts';
import { addAndNorm, attend, feedForward, layerNorm } from '../../graphs/transformer.ts';
import type { Preprocessing } from '../image/preprocessing.ts';
import type { ImageTower, Pooling } from './checkpoint.ts';
import { project, runLayers, unitLength } from './tower.ts';

/** Of pixels between 0 and 1. */
type Normalisation = Pick<Preprocessing, 'mean' | 'std'>;

interface Context {
  readonly tower: ImageTower;
  readonly compute: ComputeType;
}

/** Gives the length of an embedding. Throws `unsupported_model` where pictures are prepared to another size than the model's. */
export function buildImageEncoder(
  graph: GraphBuilder,
  context: Context & { readonly preprocessing: Pick<Preprocessing, 'crop' | 'mean' | 'std'> },
): number {
  const { tower, preprocessing } = context;
  const { imageSize, width } = tower;
  const { crop } = preprocessing;
  if (crop.width !== imageSize || crop.height !== imageSize)
    throw new AppError(
      'unsupported_model',
      `The model sees ${imageSize} x ${imageSize} pixels, but its preprocessing makes ${crop.width} x ${crop.height}.`,
    );
  const pixels = graph.input('pixels', 'uint8', ['batch', imageSize, imageSize, 3]);
  const embedded = embedPatches(graph, pixels, context);
  const pooling = tower.pooling();
  const isClass = pooling.kind === 'class';
  const embeddings = isClass
    ? project(graph, classRow(graph, embedded, context), pooling.projection)
    : unitLength(graph, poolByAttention(graph, embedded, { ...context, pooling }));
  const dimension = isClass ? pooling.projection.outputSize : width;
  graph.output('embeddings', embeddings, { type: 'float32', dims: ['batch', dimension] });
  return dimension;
}

/** Pixels to a row for each patch, with its position; before them the class, where the model has one. */
function embedPatches(
  graph: GraphBuilder,
  pixels: Value,
  { tower, compute, preprocessing }: Context & { readonly preprocessing: Normalisation },
): Value {
  const { width, patchSize, imageSize } = tower;
  const side = imageSize / patchSize;
  const line = patchSize * 3;
  // [batch × row of patches × line × patch × pixels of a line], to lines of one patch together.
  const split = reshape(graph, pixels, [0, side, patchSize, side, line]);
  const turned = graph.node('Transpose', [split], { attributes: { perm: [0, 1, 3, 2, 4] } });
  const patches = reshape(graph, turned, [0, side * side, patchSize * line]);
  const embedded = bytesLinear(graph, patches, { layer: patchLayer(tower, preprocessing), compute });

  const positions = tower.positions();
  const classEmbedding = tower.classEmbedding();
  if (classEmbedding === undefined)
    return graph.node('Add', [embedded, graph.constant(float32(positions, [1, side * side, width]))]);
  const classRow = classEmbedding.map((value, index) => value + positions[index]!);
  const rest = graph.constant(float32(positions.slice(width), [1, side * side, width]));
  const placed = graph.node('Add', [embedded, rest]);
  const classRows = eachOf(graph, { row: classRow, width, batchOf: pixels });
  return graph.node('Concat', [classRows, placed], { attributes: { axis: 1 } });
}

/**
 * The convolution over normalised pixels, (x / 255 - mean) / std, as a layer over bytes: its weights divided by 255 · std. The means are
 * told apart: they belong to the weights as they are stored, which at int8 are rounded (the least cosine falls from .9999 to .9992 otherwise).
 */
function patchLayer(tower: ImageTower, { mean, std }: Normalisation): BytesLayer {
  const { weight, bias } = tower.patches();
  const { width, patchSize } = tower;
  const area = patchSize ** 2;
  const inputSize = area * 3;
  const folded = new Float32Array(weight.length);
  const centre = new Float32Array(inputSize);
  for (let pixel = 0; pixel < area; pixel += 1) {
    for (let channel = 0; channel < 3; channel += 1) {
      const place = pixel * 3 + channel;
      centre[place] = 255 * mean[channel]!;
      const scale = 255 * std[channel]!;
      for (let out = 0; out < width; out += 1)
        folded[out * inputSize + place] = weight[(out * 3 + channel) * area + pixel]! / scale;
    }
  }
  return { weight: folded, bias, inputSize, outputSize: width, centre };
}

function classRow(graph: GraphBuilder, embedded: Value, { tower, compute }: Context): Value {
  const first = tower.first();
  const stream = first === undefined ? embedded : layerNorm(graph, embedded, first);
  const pick = (rows: Value) =>
    graph.node('Slice', [rows, constant(graph, [0]), constant(graph, [1]), constant(graph, [1])]);
  const normed = runLayers(graph, stream, { tower, compute, isCausal: false, pick });
  return reshape(graph, normed, [-1, tower.width]);
}

/** SigLIP's head: one learned question to all patches, then a layer of its own. Gives [batch × width]. */
function poolByAttention(
  graph: GraphBuilder,
  embedded: Value,
  { tower, compute, pooling }: Context & { readonly pooling: Pooling & { readonly kind: 'attention' } },
): Value {
  const { heads, width, activation } = tower;
  const { probe, attention } = pooling;
  const rows = runLayers(graph, embedded, { tower, compute, isCausal: false });
  const asking = eachOf(graph, { row: probe, width, batchOf: embedded });
  const context = attend(graph, rows, { attention, heads, compute, asking });
  const attended = linear(graph, context, { layer: withoutBias(attention.output), compute });
  const zero = graph.constant(float32([0]));
  const [normed, stream] = addAndNorm(graph, [attended, zero], {
    norm: pooling.norm,
    bias: attention.output.bias!,
  });
  const contracted = feedForward(graph, normed, { layers: pooling.feedForward, activation, compute });
  const biased = graph.node('Add', [contracted, graph.constant(float32(pooling.feedForward.contract.bias!))]);
  return reshape(graph, graph.node('Add', [stream, biased]), [-1, width]);
}

/** The same row for every picture: [batch × 1 × width]. */
function eachOf(
  graph: GraphBuilder,
  { row, width, batchOf }: { readonly row: Float32Array; readonly width: number; readonly batchOf: Value },
): Value {
  const batch = graph.node('Shape', [batchOf], { attributes: { start: 0, end: 1 } });
  const shape = graph.node('Concat', [batch, constant(graph, [1, 1])], { attributes: { axis: 0 } });
  return graph.node('Expand', [graph.constant(float32(row, [1, 1, width])), shape]);
}

function reshape(graph: GraphBuilder, value: Value, shape: readonly number[]): Value {
  return graph.node('Reshape', [value, constant(graph, shape)]);
}

function constant(graph: GraphBuilder, values: readonly number[]): Value {
  return graph.constant(int64(values));
}
