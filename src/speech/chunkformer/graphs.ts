/**
 * ChunkFormer's encoder as six small graphs (chunkformer 1.2.2, modules/encoder.py `forward_parallel_chunk`). The three of a block are the same
 * for all blocks and take its weights as inputs (`layer-weights.ts`), so that one session serves all. `rows` are frames of 80 ms; a chunk is c of them, and
 * n chunks are computed at once. What chunks see of their neighbours is gathered by indices that the host gives, and masked where there is nothing.
 *
 *   embed      features [8·rows + 7 × bins]                        -> stream [rows × D]
 *   project    stream [rows × D]                                   -> stream, query, key, value [rows × D]: first feed-forward part, projections
 *   attend     query, stream [n·c × D], key, value [keys × D]      -> stream, gated [n·c × D]: attention, first half of the convolution
 *   finish     stream [n·c × D], gated [rows × D]                  -> stream [n·c × D]: second half, second feed-forward part
 *   head       stream [rows × D]                                   -> best ids and log probabilities [rows]
 *   positions  embeddings [2c-1+l+r × D]                           -> positions [heads × D/heads × 2c-1+l+r], once for each block
 */
import { GraphBuilder, type Value } from '../../graphs/graph-builder.ts';
import { LAYER_NORM_EPSILON, linear } from '../../graphs/layers.ts';
import { float32, int64 } from '../../graphs/tensor.ts';
import { afterSubsampling, type ChunkFormerCheckpoint, type ChunkFormerSizes } from './checkpoint.ts';

type GraphName = 'embed' | 'project' | 'attend' | 'finish' | 'head' | 'positions';

export function buildGraphs(checkpoint: ChunkFormerCheckpoint): Record<GraphName, GraphBuilder> {
  const { sizes } = checkpoint;
  return {
    embed: buildEmbed(checkpoint),
    project: buildProject(sizes),
    attend: buildAttend(sizes),
    finish: buildFinish(sizes),
    head: buildHead(checkpoint),
    positions: buildPositions(sizes),
  };
}

function buildEmbed({ sizes, normalisation, read }: ChunkFormerCheckpoint): GraphBuilder {
  const { width, bins } = sizes;
  const graph = new GraphBuilder('chunkformer-embed');
  const features = graph.input('features', 'float32', ['frames', bins]);
  const centred = graph.node('Sub', [features, graph.constant(float32(normalisation.mean))]);
  const scaled = graph.node('Mul', [centred, graph.constant(float32(normalisation.scale))]);
  let value = graph.node('Unsqueeze', [scaled, graph.constant(int64([0, 1]))]);

  const convolve = (index: number, options: { dims: readonly number[]; stride: 1 | 2; group: number }) => {
    const name = `encoder.embed.conv.${index}`;
    const [kernel] = options.dims.slice(2);
    value = graph.node(
      'Conv',
      [
        value,
        graph.constant(float32(read(`${name}.weight`, options.dims), options.dims)),
        graph.constant(float32(read(`${name}.bias`, [width]))),
      ],
      {
        attributes: {
          kernel_shape: [kernel!, kernel!],
          strides: [options.stride, options.stride],
          group: options.group,
        },
      },
    );
  };
  convolve(0, { dims: [width, 1, 3, 3], stride: 2, group: 1 });
  value = graph.node('Relu', [value]);
  // Each channel by itself, then all channels of a point, twice: the indices are those of torch.nn.Sequential.
  for (const index of [2, 5]) {
    convolve(index, { dims: [width, 1, 3, 3], stride: 2, group: width });
    convolve(index + 1, { dims: [width, width, 1, 1], stride: 1, group: 1 });
    value = graph.node('Relu', [value]);
  }
  const inputSize = width * afterSubsampling(bins);
  const byFrame = graph.node('Transpose', [value], { attributes: { perm: [0, 2, 1, 3] } });
  const flat = graph.node('Reshape', [byFrame, graph.constant(int64([-1, inputSize]))]);
  // The encoder scales what it reads by the root of its width.
  const scale = (values: Float32Array) => values.map((number) => number * Math.sqrt(width));
  const layer = {
    weight: scale(read('encoder.embed.out.weight', [width, inputSize])),
    bias: scale(read('encoder.embed.out.bias', [width])),
    inputSize,
    outputSize: width,
  };
  graph.output('stream', linear(graph, flat, { layer, compute: 'float32' }), rowsOf(width));
  return graph;
}

function buildProject(sizes: ChunkFormerSizes): GraphBuilder {
  const { width } = sizes;
  const graph = new GraphBuilder('chunkformer-project');
  const stream = graph.input('stream', 'float32', ['rows', width]);
  const fed = graph.node('Add', [stream, feedForward(graph, stream, { sizes, name: 'first' })]);
  const normed = layerNorm(graph, fed, { name: 'attention_norm', width });
  graph.output('fed', fed, rowsOf(width));
  for (const name of ['query', 'key', 'value']) {
    graph.output(
      `${name}_rows`,
      weighted(graph, normed, { name, inputSize: width, outputSize: width }),
      rowsOf(width),
    );
  }
  return graph;
}

function buildAttend({ width, heads }: ChunkFormerSizes): GraphBuilder {
  const graph = new GraphBuilder('chunkformer-attend');
  const input = (name: string, dims: readonly (number | string)[]) => graph.input(name, 'float32', dims);
  const integers = (name: string, dims: readonly (number | string)[]) => graph.input(name, 'int64', dims);
  const size = width / heads;
  const queries = graph.node('Reshape', [input('query', ['rows', width]), integers('query_shape', [4])]);
  const stream = input('stream', ['rows', width]);
  // What each chunk sees, [n × heads × l+c+r × size].
  const index = integers('index', ['chunks', 'seen']);
  const seenShape = graph.constant(int64([0, 0, heads, size]));
  const seen = (name: string, perm: readonly number[]) => {
    const rows = graph.node('Gather', [input(name, ['keys', width]), index], { attributes: { axis: 0 } });
    return graph.node('Transpose', [graph.node('Reshape', [rows, seenShape])], { attributes: { perm } });
  };
  const biased = (name: string) =>
    graph.node('Transpose', [graph.node('Add', [queries, input(name, [heads, size])])], {
      attributes: { perm: [0, 2, 1, 3] },
    });
  const byContent = graph.node('MatMul', [biased('content_bias'), seen('key', [0, 2, 3, 1])]);
  const byPlace = shiftToRelative(
    graph,
    graph.node('MatMul', [biased('place_bias'), input('positions', [heads, size, 'places'])]),
  );
  const mask = input('mask', ['chunks', 1, 1, 'seen']);
  const scores = graph.node('Add', [graph.node('Add', [byContent, byPlace]), mask]);
  const shares = graph.node('Softmax', [scores], { attributes: { axis: -1 } });
  const context = graph.node('Transpose', [graph.node('MatMul', [shares, seen('value', [0, 2, 1, 3])])], {
    attributes: { perm: [0, 2, 1, 3] },
  });
  const rows = graph.node('Reshape', [context, graph.constant(int64([-1, width]))]);
  const attended = graph.node('Add', [
    stream,
    weighted(graph, rows, { name: 'output', inputSize: width, outputSize: width }),
  ]);
  const normed = layerNorm(graph, attended, { name: 'convolution_norm', width });
  const both = weighted(graph, normed, { name: 'gate', inputSize: width, outputSize: 2 * width });
  const [values, gates] = graph.nodes('Split', [both], {
    attributes: { axis: 1, num_outputs: 2 },
    outputs: 2,
  });
  graph.output('attended', attended, rowsOf(width));
  graph.output('gated_rows', graph.node('Mul', [values!, graph.node('Sigmoid', [gates!])]), rowsOf(width));
  return graph;
}

/**
 * From scores by distance, [n × heads × c × 2c-1+l+r], to scores by key, [n × heads × c × l+c+r]: row i begins c-1-i columns later. Read
 * as one line from place c-1 on, rows that are one shorter begin where they should.
 */
function shiftToRelative(graph: GraphBuilder, scores: Value): Value {
  const number = (name: string) => graph.input(name, 'int64', [1]);
  const axis = (index: number) => graph.constant(int64([index]));
  const line = graph.node('Reshape', [scores, graph.constant(int64([0, 0, -1]))]);
  const cut = graph.node('Slice', [line, number('line_start'), number('line_end'), axis(2)]);
  const rows = graph.node('Reshape', [cut, graph.input('line_shape', 'int64', [4])]);
  return graph.node('Slice', [rows, axis(0), number('seen_count'), axis(3)]);
}

function buildFinish(sizes: ChunkFormerSizes): GraphBuilder {
  const { width, kernel } = sizes;
  const graph = new GraphBuilder('chunkformer-finish');
  const stream = graph.input('stream', 'float32', ['rows', width]);
  const gated = graph.input('gated', 'float32', ['seen_rows', width]);
  const index = graph.input('index', 'int64', ['chunks', 'seen']);
  const mask = graph.input('mask', 'float32', ['chunks', 'seen', 1]);
  const seen = graph.node('Mul', [graph.node('Gather', [gated, index], { attributes: { axis: 0 } }), mask]);
  const channelsFirst = { attributes: { perm: [0, 2, 1] } };
  const filtered = graph.node(
    'Conv',
    [
      graph.node('Transpose', [seen], channelsFirst),
      graph.input('filter_weight', 'float32', [width, 1, kernel]),
      graph.input('filter_bias', 'float32', [width]),
    ],
    { attributes: { kernel_shape: [kernel], group: width } },
  );
  const normed = layerNorm(graph, graph.node('Transpose', [filtered], channelsFirst), {
    name: 'filter_norm',
    width,
  });
  const rows = graph.node('Reshape', [silu(graph, normed), graph.constant(int64([-1, width]))]);
  const convolved = graph.node('Add', [
    stream,
    weighted(graph, rows, { name: 'mix', inputSize: width, outputSize: width }),
  ]);
  const fed = graph.node('Add', [convolved, feedForward(graph, convolved, { sizes, name: 'second' })]);
  graph.output('finished', layerNorm(graph, fed, { name: 'final_norm', width }), rowsOf(width));
  return graph;
}

function buildHead({ sizes, lastNormEpsilon, read }: ChunkFormerCheckpoint): GraphBuilder {
  const { width, vocabulary } = sizes;
  const graph = new GraphBuilder('chunkformer-head');
  const stream = graph.input('stream', 'float32', ['rows', width]);
  const norm = ['weight', 'bias'].map((part) =>
    graph.constant(float32(read(`encoder.after_norm.${part}`, [width]))),
  );
  const normed = graph.node('LayerNormalization', [stream, ...norm], {
    attributes: { axis: -1, epsilon: { float: lastNormEpsilon } },
  });
  const layer = {
    weight: read('ctc.ctc_lo.weight', [vocabulary, width]),
    bias: read('ctc.ctc_lo.bias', [vocabulary]),
    inputSize: width,
    outputSize: vocabulary,
  };
  const logits = linear(graph, normed, { layer, compute: 'float32' });
  const logProbs = graph.node('LogSoftmax', [logits], { attributes: { axis: -1 } });
  const last = graph.constant(int64([-1]));
  graph.output('log_probs', logProbs, rowsOf(vocabulary));
  graph.output('ids', graph.node('ArgMax', [logProbs], { attributes: { axis: -1, keepdims: 0 } }), {
    type: 'int64',
    dims: ['rows'],
  });
  graph.output('best', graph.node('ReduceMax', [logProbs, last], { attributes: { keepdims: 0 } }), {
    type: 'float32',
    dims: ['rows'],
  });
  return graph;
}

function buildPositions({ width, heads }: ChunkFormerSizes): GraphBuilder {
  const graph = new GraphBuilder('chunkformer-positions');
  const embeddings = graph.input('embeddings', 'float32', ['places', width]);
  const projected = graph.node('MatMul', [
    embeddings,
    graph.input('place_weight', 'float32', [width, width]),
  ]);
  const byHead = graph.node('Reshape', [projected, graph.constant(int64([0, heads, width / heads]))]);
  graph.output('positions', graph.node('Transpose', [byHead], { attributes: { perm: [1, 2, 0] } }), {
    type: 'float32',
    dims: [heads, width / heads, 'places'],
  });
  return graph;
}

function rowsOf(width: number) {
  return { type: 'float32', dims: ['rows', width] } as const;
}

/** The weights are inputs; the half that a feed-forward part counts for lies in its second matrix. */
function feedForward(
  graph: GraphBuilder,
  input: Value,
  { sizes, name }: { readonly sizes: ChunkFormerSizes; readonly name: 'first' | 'second' },
): Value {
  const { width, inner } = sizes;
  const normed = layerNorm(graph, input, { name: `${name}_norm`, width });
  const expanded = weighted(graph, normed, { name: `${name}_expand`, inputSize: width, outputSize: inner });
  return weighted(graph, silu(graph, expanded), {
    name: `${name}_contract`,
    inputSize: inner,
    outputSize: width,
  });
}

function silu(graph: GraphBuilder, input: Value): Value {
  return graph.node('Mul', [input, graph.node('Sigmoid', [input])]);
}

function weighted(
  graph: GraphBuilder,
  input: Value,
  {
    name,
    inputSize,
    outputSize,
  }: { readonly name: string; readonly inputSize: number; readonly outputSize: number },
): Value {
  const weight = graph.input(`${name}_weight`, 'float32', [inputSize, outputSize]);
  const bias = graph.input(`${name}_bias`, 'float32', [outputSize]);
  return graph.node('Add', [graph.node('MatMul', [input, weight]), bias]);
}

function layerNorm(
  graph: GraphBuilder,
  input: Value,
  { name, width }: { readonly name: string; readonly width: number },
): Value {
  const gain = graph.input(`${name}_weight`, 'float32', [width]);
  const offset = graph.input(`${name}_bias`, 'float32', [width]);
  return graph.node('LayerNormalization', [input, gain, offset], {
    attributes: { axis: -1, epsilon: LAYER_NORM_EPSILON },
  });
}
