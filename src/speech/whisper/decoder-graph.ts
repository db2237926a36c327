/**
 * Whisper's text decoder as an ONNX graph (openai/whisper model.py, `TextDecoder`): one graph for the prompt and for every step.
 *
 * R rows (a row is one hypothesis: a window, or one beam of it) of S new tokens, after P tokens that the cache holds.
 *
 * Inputs  ids          int64 [R × S]; at int8 `embedded` float32 [R × S × width] in its place: their rows of the table
 *         positions    int64 [S]: P .. P+S-1
 *         select       int64 [K]: the places among the S whose logits are wanted
 *         candidates   int64 [1]: how many best text tokens to give
 *         beam_shape   int64 [3]: [W, B·S, width]. Each of W windows has B places for rows; some may be taken twice by the same row
 *         rows_of_places, places_of_rows   int64 [W·B], [R]: the row at each place, and a place of each row
 *         past_key_i, past_value_i   float32 [R × heads × P × 64]
 *         aligned      int64 [1]: for how many of the S tokens the attention to the audio is wanted; 0 costs nothing
 *         cross_key_i, cross_value_i and, at int8, their scales: the encoder's outputs, as `cross-attention.ts` says
 * Outputs logits       float32 [R × K × vocabulary], raw
 *         text_values, text_ids  [R × K × candidates]: best tokens below the first timestamp, suppressed ones left out
 *         text_lse     float32 [R × K × 1]: log of the sum of exp over the same tokens
 *         end_logit    float32 [R × K × 1]: logit of end-of-text
 *         timestamps   float32 [R × K × timestamps]: logits of the timestamp tokens
 *         present_key_i, present_value_i  float32 [R × heads × P+S × 64]
 *         attention    float32 [W × alignment heads × aligned × T]: how much each token listens to each position
 *
 * Greedy and beam search read the small outputs, so no step copies or scans the vocabulary in JavaScript.
 */
import type { GraphBuilder, Value } from '../../graphs/graph-builder.ts';
import {
  type BlockWeights,
  blockLinear,
  blockWeights,
  CONTRIB,
  type ComputeType,
  type Linear,
  linear,
  linearGelu,
  withoutBias,
} from '../../graphs/layers.ts';
import { float32, int64 } from '../../graphs/tensor.ts';
import { type Attention, addAndNorm, attentionBias, layerNorm } from '../../graphs/transformer.ts';
import { HEAD_SIZE, type WhisperCheckpoint } from './checkpoint.ts';
import { type Attended, attendAudio } from './cross-attention.ts';

export interface DecoderTokens {
  readonly endOfText: number;
  /** Id of `<|0.00|>`; all later ids are timestamps. */
  readonly firstTimestamp: number;
  /** Ids that are never said: the model's own list. */
  readonly suppressed: readonly number[];
}

/** A head of the cross attention that follows the speech: [layer, head]. */
export type AlignmentHead = readonly [layer: number, head: number];

interface Context {
  readonly graph: GraphBuilder;
  readonly checkpoint: WhisperCheckpoint;
  readonly compute: ComputeType;
}

interface Beams {
  readonly shape: Value;
  readonly rowsOfPlaces: Value;
  readonly placesOfRows: Value;
}

/** Gives the table of embeddings that the caller of an int8 graph must look tokens up in. */
export function buildDecoder(
  context: Context,
  tokens: DecoderTokens,
  alignmentHeads: readonly AlignmentHead[],
): BlockWeights | undefined {
  const { graph, checkpoint, compute } = context;
  const { sizes } = checkpoint;
  const select = graph.input('select', 'int64', ['selected']);
  const beams: Beams = {
    shape: graph.input('beam_shape', 'int64', [3]),
    rowsOfPlaces: graph.input('rows_of_places', 'int64', ['places']),
    placesOfRows: graph.input('places_of_rows', 'int64', ['rows']),
  };
  const attentions: Value[] = [];

  const embedding = embeddingOf(context);
  let stream = embedTokens(context, embedding);
  let normed = layerNorm(graph, stream, checkpoint.norm('decoder', { layer: 0, before: 'self' }));
  for (let layer = 0; layer < sizes.decoderLayers; layer += 1) {
    const self = checkpoint.attention('decoder', layer, 'self');
    const cross = checkpoint.attention('decoder', layer, 'cross');
    const feedForward = checkpoint.feedForward('decoder', layer);
    const isLast = layer + 1 === sizes.decoderLayers;
    const next = checkpoint.norm('decoder', isLast ? 'last' : { layer: layer + 1, before: 'self' });

    const said = selfAttention(context, normed, { attention: self, layer });
    [normed, stream] = addAndNorm(graph, [said, stream], {
      norm: checkpoint.norm('decoder', { layer, before: 'cross' }),
      bias: self.output.bias!,
    });
    const { heard, weights } = crossAttention(context, normed, { attention: cross, layer, beams });
    attentions.push(weights);
    [normed, stream] = addAndNorm(graph, [heard, stream], {
      norm: checkpoint.norm('decoder', { layer, before: 'feedForward' }),
      bias: cross.output.bias!,
    });
    const expanded = linearGelu(graph, normed, { layer: feedForward.expand, compute });
    const contracted = linear(graph, expanded, { layer: withoutBias(feedForward.contract), compute });
    [normed, stream] = addAndNorm(graph, [contracted, stream], {
      norm: next,
      bias: feedForward.contract.bias!,
    });
  }
  const selected = graph.node('Gather', [normed, select], { attributes: { axis: 1 } });
  outputs(context, project(context, embedding, selected), tokens);
  alignment(context, attentions, alignmentHeads);
  return 'blocks' in embedding ? embedding.blocks : undefined;
}

/**
 * At int8 the table is block-quantised; at float32 look-up and projection share one constant. The block kernel
 * differs by 1e-7 between one row and several. That is harmless in the last layer, where nothing rounds it up; inside the
 * decoder it would flip the rounding of later activations, so the layers there are quantised by rows, which is exact.
 */
type Embedding = { readonly blocks: BlockWeights } | { readonly table: Value };

function embeddingOf({ graph, checkpoint, compute }: Context): Embedding {
  const { vocabulary, width } = checkpoint.sizes;
  const weight = checkpoint.tokens();
  if (compute === 'int8')
    return { blocks: blockWeights(graph, { weight, inputSize: width, outputSize: vocabulary }) };
  return { table: graph.constant(float32(weight, [vocabulary, width])) };
}

function embedTokens({ graph, checkpoint }: Context, embedding: Embedding): Value {
  const { textPositions, width } = checkpoint.sizes;
  const tokens =
    'blocks' in embedding
      ? graph.input('embedded', 'float32', ['rows', 'tokens', width])
      : graph.node('Gather', [embedding.table, graph.input('ids', 'int64', ['rows', 'tokens'])]);
  const table = graph.constant(float32(checkpoint.textPositions(), [textPositions, width]));
  const positions = graph.input('positions', 'int64', ['tokens']);
  return graph.node('Add', [tokens, graph.node('Gather', [table, positions])]);
}

function project({ graph }: Context, embedding: Embedding, hidden: Value): Value {
  if ('blocks' in embedding) return blockLinear(graph, hidden, { weights: embedding.blocks });
  const transposed = graph.node('Transpose', [embedding.table], { attributes: { perm: [1, 0] } });
  return graph.node('MatMul', [hidden, transposed]);
}

function selfAttention(
  context: Context,
  input: Value,
  options: { attention: Attention; layer: number },
): Value {
  const { graph, checkpoint, compute } = context;
  const { heads, width } = checkpoint.sizes;
  const { attention, layer } = options;
  const fused = linear(graph, input, {
    layer: withoutBias(fuse([attention.query, attention.key, attention.value])),
    compute,
  });
  const projections = graph.nodes('Split', [fused, graph.constant(int64([width, width, width]))], {
    attributes: { axis: -1 },
    outputs: 3,
  });
  const cache = (name: string) => graph.input(name, 'float32', ['rows', heads, 'past', HEAD_SIZE]);
  const [said, key, value] = graph.nodes(
    'MultiHeadAttention',
    [
      ...projections,
      attentionBias(graph, attention),
      '',
      '',
      cache(`past_key_${layer}`),
      cache(`past_value_${layer}`),
    ],
    { domain: CONTRIB, attributes: { num_heads: heads, unidirectional: 1 }, outputs: 3 },
  );
  const shape = { type: 'float32', dims: ['rows', heads, 'total', HEAD_SIZE] } as const;
  graph.output(`present_key_${layer}`, key!, shape);
  graph.output(`present_value_${layer}`, value!, shape);
  return linear(graph, said!, { layer: withoutBias(attention.output), compute });
}

/** The rows of a window attend together: they share its keys and values. */
function crossAttention(
  context: Context,
  input: Value,
  options: { attention: Attention; layer: number; beams: Beams },
): Attended {
  const { graph, checkpoint, compute } = context;
  const { sizes } = checkpoint;
  const { attention, layer, beams } = options;
  const query = linear(graph, input, { layer: scaled(attention.query, 1 / Math.sqrt(HEAD_SIZE)), compute });
  const spread = graph.node('Gather', [query, beams.rowsOfPlaces]);
  const byWindow = graph.node('Reshape', [spread, beams.shape]);
  const split = graph.node('Reshape', [byWindow, graph.constant(int64([0, 0, sizes.heads, HEAD_SIZE]))]);
  const perHead = graph.node('Transpose', [split], { attributes: { perm: [0, 2, 1, 3] } });
  const { heard, weights } = attendAudio(graph, perHead, { layer, sizes, compute });
  const mixed = graph.node('Transpose', [heard], { attributes: { perm: [0, 2, 1, 3] } });
  const merged = graph.node('Reshape', [mixed, graph.node('Shape', [spread])]);
  const byRow = graph.node('Gather', [merged, beams.placesOfRows]);
  return { heard: linear(graph, byRow, { layer: withoutBias(attention.output), compute }), weights };
}

/** The alignment heads' share of the attention. A step that asks for no tokens slices nothing and copies nothing. */
function alignment(
  { graph, checkpoint }: Context,
  attentions: readonly Value[],
  alignmentHeads: readonly AlignmentHead[],
): void {
  const aligned = graph.input('aligned', 'int64', [1]);
  const [start, axis] = [graph.constant(int64([0])), graph.constant(int64([2]))];
  const layers = [...new Set(alignmentHeads.map(([layer]) => layer))].sort((a, b) => a - b);
  const asked = layers.map((layer) => graph.node('Slice', [attentions[layer]!, start, aligned, axis]));
  const all = graph.node('Concat', asked, { attributes: { axis: 1 } });
  const places = alignmentHeads.map(([layer, head]) => layers.indexOf(layer) * checkpoint.sizes.heads + head);
  const chosen = graph.node('Gather', [all, graph.constant(int64(places))], { attributes: { axis: 1 } });
  graph.output('attention', chosen, {
    type: 'float32',
    dims: ['windows', alignmentHeads.length, 'aligned', 'audio'],
  });
}

function outputs({ graph, checkpoint }: Context, logits: Value, tokens: DecoderTokens): void {
  const { vocabulary } = checkpoint.sizes;
  const { firstTimestamp, endOfText, suppressed } = tokens;
  const candidates = graph.input('candidates', 'int64', [1]);
  const slice = (start: number, end: number) =>
    graph.node('Slice', [
      logits,
      graph.constant(int64([start])),
      graph.constant(int64([end])),
      graph.constant(int64([-1])),
    ]);
  const mask = new Float32Array(firstTimestamp);
  for (const id of suppressed) if (id < firstTimestamp) mask[id] = Number.NEGATIVE_INFINITY;

  const text = graph.node('Add', [slice(0, firstTimestamp), graph.constant(float32(mask))]);
  const [values, ids] = graph.nodes('TopK', [text, candidates], { attributes: { axis: -1 }, outputs: 2 });
  // max - max(log softmax) is the log of the sum: LogSoftmax has a vectorised kernel, ReduceLogSumExp has none.
  const last = graph.constant(int64([-1]));
  const best = graph.node('ReduceMax', [text, last], { attributes: { keepdims: 1 } });
  const logSoftmax = graph.node('LogSoftmax', [text], { attributes: { axis: -1 } });
  const bestLog = graph.node('ReduceMax', [logSoftmax, last], { attributes: { keepdims: 1 } });

  const float = (name: string, value: Value, width: number | string) =>
    graph.output(name, value, { type: 'float32', dims: ['rows', 'selected', width] });
  float('logits', logits, vocabulary);
  float('text_values', values!, 'best');
  graph.output('text_ids', ids!, { type: 'int64', dims: ['rows', 'selected', 'best'] });
  float('text_lse', graph.node('Sub', [best, bestLog]), 1);
  float('end_logit', slice(endOfText, endOfText + 1), 1);
  float('timestamps', slice(firstTimestamp, vocabulary), vocabulary - firstTimestamp);
}

function fuse(layers: readonly Linear[]): Linear {
  const { inputSize } = layers[0]!;
  const outputSize = layers.reduce((sum, layer) => sum + layer.outputSize, 0);
  const weight = new Float32Array(outputSize * inputSize);
  const bias = new Float32Array(outputSize);
  let row = 0;
  for (const layer of layers) {
    weight.set(layer.weight, row * inputSize);
    if (layer.bias !== undefined) bias.set(layer.bias, row);
    row += layer.outputSize;
  }
  return { weight, bias, inputSize, outputSize };
}

function scaled(layer: Linear, factor: number): Linear {
  return {
    ...layer,
    weight: layer.weight.map((value) => value * factor),
    bias: layer.bias?.map((value) => value * factor),
  };
}
