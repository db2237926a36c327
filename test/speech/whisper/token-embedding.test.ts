import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { GraphBuilder } from '../../../src/graphs/graph-builder.ts';
import { blockWeights } from '../../../src/graphs/layers.ts';
import { float32 } from '../../../src/graphs/tensor.ts';
import { openTokenEmbedding } from '../../../src/speech/whisper/token-embedding.ts';

test('rows of a quantised table are read from the weights of the graph that has it', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'percept-test-'));
  t.after(() => rm(folder, { recursive: true }));
  const [vocabulary, width] = [200, 256];
  const weight = Float32Array.from({ length: vocabulary * width }, (_, index) => Math.sin(index * 1.7));
  const graph = new GraphBuilder('test');
  // Something before it, so that the table does not begin the file.
  graph.constant(float32(new Float32Array(5000)));
  const table = blockWeights(graph, { weight, inputSize: width, outputSize: vocabulary });
  const offsets = await graph.write(join(folder, 'graph.onnx'));
  const stored = { values: offsets.get(table.values)!, scales: offsets.get(table.scales)! };
  const embedding = openTokenEmbedding(join(folder, 'graph.onnx.data'), stored, width);

  const tokens = [3, 0, 199, 3];
  const rows = embedding.rows(tokens);
  assert.equal(rows.length, tokens.length * width);
  rows.forEach((number, index) => {
    const expected = weight[tokens[Math.floor(index / width)]! * width + (index % width)]!;
    assert.ok(Math.abs(number - expected) <= 0.5 / 127 + 1e-6, `${number} instead of ${expected}`);
  });
  embedding.close();
});
