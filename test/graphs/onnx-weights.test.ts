import assert from 'node:assert/strict';
import test from 'node:test';
import { GraphBuilder } from '../../src/graphs/graph-builder.ts';
import { readOnnxWeights } from '../../src/graphs/onnx-weights.ts';
import { float32, int64 } from '../../src/graphs/tensor.ts';

/** A model with a few constants, among them one that is no float32. */
function model(): Uint8Array {
  const graph = new GraphBuilder('test');
  const input = graph.input('x', 'float32', [2, 3]);
  const added = graph.node('Add', [input, graph.constant(float32([1, 2.5, -3], [1, 3]))]);
  const shaped = graph.node('Reshape', [added, graph.constant(int64([6]))]);
  graph.output('y', shaped, { type: 'float32', dims: [6] });
  return graph.toBytes();
}

test('float32 initializers are read, wherever they lie in memory', () => {
  const bytes = model();
  const shifted = Buffer.concat([Buffer.alloc(3), bytes]).subarray(3);
  for (const file of [bytes, shifted]) {
    const weights = readOnnxWeights(file);
    assert.deepEqual([...weights.values()], [{ dims: [1, 3], data: Float32Array.of(1, 2.5, -3) }]);
  }
});

test('a file that is cut short, or is no model, is refused or has no weights', () => {
  const bytes = model();
  for (let length = 0; length < bytes.length; length += 1) {
    try {
      assert.ok(readOnnxWeights(bytes.subarray(0, length)).size <= 1);
    } catch (error) {
      assert.match(String(error), /not an ONNX model/);
    }
  }
  assert.throws(() => readOnnxWeights(Buffer.alloc(100, 0xff)), /not an ONNX model/);
});
