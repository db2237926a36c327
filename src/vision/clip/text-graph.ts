/**
 * The text encoder as an ONNX graph.
 *
 * Inputs  ids         int64 [batch × length]: a batch is as long as its longest text, which changes nothing where each position sees only
 *                     those before it; SigLIP's is always as long as the context
 *         ends        int64 [batch × 1]: the place whose row stands for the text
 * Output  embeddings  float32 [batch × dimension], of length 1
 */
import type { GraphBuilder, Value } from '../../graphs/graph-builder.ts';
import { type ComputeType, rowTable } from '../../graphs/layers.ts';
import { float32, int64 } from '../../graphs/tensor.ts';
import type { TextTower } from './checkpoint.ts';
import { project, runLayers } from './tower.ts';

export function buildTextEncoder(
  graph: GraphBuilder,
  { tower, compute }: { readonly tower: TextTower; readonly compute: ComputeType },
): void {
  const { isCausal, width } = tower;
  const ids = graph.input('ids', 'int64', ['batch', 'length']);
  const ends = graph.input('ends', 'int64', ['batch', 1]);
  const pick = (rows: Value) => {
    const picked = graph.node('GatherND', [rows, ends], { attributes: { batch_dims: 1 } });
    return graph.node('Reshape', [picked, graph.constant(int64([-1, 1, width]))]);
  };
  const normed = runLayers(graph, embedTokens(graph, ids, { tower, compute }), {
    tower,
    compute,
    isCausal,
    pick,
  });
  const row = graph.node('Reshape', [normed, graph.constant(int64([-1, width]))]);
  const projection = tower.projection();
  graph.output('embeddings', project(graph, row, projection), {
    type: 'float32',
    dims: ['batch', projection.outputSize],
  });
}

/** Rows of the table, and of the positions as far as the texts go. */
function embedTokens(
  graph: GraphBuilder,
  ids: Value,
  { tower, compute }: { readonly tower: TextTower; readonly compute: ComputeType },
): Value {
  const { vocabulary, width, contextLength } = tower;
  const tokens = rowTable(graph, ids, { table: tower.tokens(), rows: vocabulary, width, compute });
  const positions = graph.constant(float32(tower.positions(), [contextLength, width]));
  const length = graph.node('Shape', [ids], { attributes: { start: 1, end: 2 } });
  const zero = graph.constant(int64([0]));
  return graph.node('Add', [tokens, graph.node('Slice', [positions, zero, length, zero])]);
}
