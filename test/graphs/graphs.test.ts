import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { type OnnxTensor, openOnnxSession } from '../../src/backends/onnx.ts';
import { GraphBuilder, type Value } from '../../src/graphs/graph-builder.ts';
import { blockLinear, blockWeights, type Linear, linear, linearGelu } from '../../src/graphs/layers.ts';

/** Numbers without pattern, the same every time. */
function noise(length: number, scale = 1): Float32Array {
  let state = 12_345;
  return Float32Array.from({ length }, () => {
    state = (state * 48_271) % 2_147_483_647;
    return scale * ((2 * state) / 2_147_483_647 - 1);
  });
}

const LAYER: Linear = { weight: noise(96 * 256), bias: noise(96), inputSize: 256, outputSize: 96 };

/** Builds a graph from `x` [rows × 256] to `y`, writes it, runs it in ONNX Runtime. */
async function run(build: (graph: GraphBuilder, x: Value) => Value, x: OnnxTensor): Promise<Float32Array> {
  const directory = await mkdtemp(join(tmpdir(), 'percept-graphs-'));
  try {
    const graph = new GraphBuilder('test');
    const value = build(graph, graph.input('x', 'float32', ['rows', 256]));
    graph.output('y', value, { type: 'float32', dims: ['rows', 'columns'] });
    await graph.write(join(directory, 'test.onnx'));
    const session = await openOnnxSession(join(directory, 'test.onnx'), { threads: 1 });
    const { y } = await session.run({ x }, ['y']);
    const copy = Float32Array.from(y!.data as Float32Array);
    await session.close();
    return copy;
  } finally {
    await rm(directory, { recursive: true });
  }
}

function reference(x: Float32Array): Float32Array {
  const rows = x.length / 256;
  const y = new Float32Array(rows * 96);
  for (let row = 0; row < rows; row += 1) {
    for (let out = 0; out < 96; out += 1) {
      let sum = LAYER.bias![out]!;
      for (let k = 0; k < 256; k += 1) sum += x[row * 256 + k]! * LAYER.weight[out * 256 + k]!;
      y[row * 96 + out] = sum;
    }
  }
  return y;
}

/** Length of the difference over the length of what was expected. */
function relativeError(actual: Float32Array, expected: Float32Array): number {
  let difference = 0;
  let size = 0;
  expected.forEach((value, index) => {
    difference += (value - actual[index]!) ** 2;
    size += value ** 2;
  });
  return Math.sqrt(difference / size);
}

const forms = {
  float32: {
    maxError: 1e-6,
    build: (graph: GraphBuilder, x: Value) => linear(graph, x, { layer: LAYER, compute: 'float32' }),
  },
  'int8 by rows': {
    maxError: 0.012,
    build: (graph: GraphBuilder, x: Value) => linear(graph, x, { layer: LAYER, compute: 'int8' }),
  },
  'int8 by blocks': {
    maxError: 0.012,
    build: (graph: GraphBuilder, x: Value) =>
      blockLinear(graph, x, { weights: blockWeights(graph, LAYER), bias: LAYER.bias }),
  },
} as const;

for (const [name, { maxError, build }] of Object.entries(forms)) {
  test(`a ${name} layer equals the matrix product`, async () => {
    const x = noise(5 * 256);
    const error = relativeError(await run(build, { data: x, dims: [5, 256] }), reference(x));
    assert.ok(error <= maxError, `relative error ${error}`);
  });
}

test('a row of an int8 layer does not depend on the rows beside it', async () => {
  const row = noise(256);
  const alone = await run(forms['int8 by rows'].build, { data: row, dims: [1, 256] });
  const loud = new Float32Array(3 * 256).fill(50);
  loud.set(row, 256);
  const together = await run(forms['int8 by rows'].build, { data: loud, dims: [3, 256] });
  assert.deepEqual(together.slice(96, 2 * 96), alone);
});

test('a row of zeros gives the bias', async () => {
  const y = await run(forms['int8 by rows'].build, { data: new Float32Array(256), dims: [1, 256] });
  assert.deepEqual(y, LAYER.bias);
});

test('a layer and its Gelu equal the product and the Gelu behind it', async () => {
  const x = { data: noise(3 * 256), dims: [3, 256] };
  const together = await run(
    (graph, value) => linearGelu(graph, value, { layer: LAYER, compute: 'int8' }),
    x,
  );
  const apart = await run(
    (graph, value) => graph.node('Gelu', [linear(graph, value, { layer: LAYER, compute: 'int8' })]),
    x,
  );
  together.forEach((number, index) => {
    assert.ok(Math.abs(number - apart[index]!) < 1e-5, `${number} instead of ${apart[index]}`);
  });
});

test('an input size that blocks do not divide is refused', () => {
  assert.throws(
    () => blockWeights(new GraphBuilder('test'), { weight: noise(100), inputSize: 100, outputSize: 1 }),
    /128/,
  );
});
