/**
 * Layers that every transformer graph of ours shares, at float32 and at int8.
 *
 * Int8 weights are symmetric per output channel; activations are quantised per row (per token), never per tensor: a scale that
 * spans the batch would make one caller's result depend on another's. `docs/benchmarks.md` holds what each form costs.
 */
import type { GraphBuilder, Value } from './graph-builder.ts';
import { byteScalar, type ConstantTensor, float32, int64, ONNX_TYPE, scalar } from './tensor.ts';

/** Weight [out × in] row-major and bias [out], as checkpoints store a linear layer: y = x Wᵀ + b. */
export interface Linear {
  readonly weight: Float32Array;
  readonly bias: Float32Array | undefined;
  readonly inputSize: number;
  readonly outputSize: number;
}

export type ComputeType = 'int8' | 'float32';

export const CONTRIB = 'com.microsoft';
export const LAYER_NORM_EPSILON = { float: 1e-5 };

/** Block of input channels that share a scale in `blockLinear`. */
export const BLOCK_SIZE = 128;
/** MatMulNBits: quantise activations to int8 and accumulate in int32. */
const ACCUMULATE_INT8 = 4;

/** Several linear layers of one input, so that int8 activations are quantised once. */
export function linears(
  graph: GraphBuilder,
  input: Value,
  options: { layers: readonly Linear[]; compute: ComputeType },
): Value[] {
  if (options.compute === 'float32') return options.layers.map((layer) => floatLinear(graph, input, layer));
  const rows = quantiseRows(graph, input);
  return options.layers.map((layer) => rowLinear(graph, rows, layer));
}

export function linear(
  graph: GraphBuilder,
  input: Value,
  options: { layer: Linear; compute: ComputeType },
): Value {
  return linears(graph, input, { layers: [options.layer], compute: options.compute })[0]!;
}

/** A linear layer and the Gelu behind it. */
export function linearGelu(
  graph: GraphBuilder,
  input: Value,
  options: { layer: Linear; compute: ComputeType },
): Value {
  const { layer, compute } = options;
  const product = linear(graph, input, { layer: withoutBias(layer), compute });
  return graph.node('BiasGelu', [product, graph.constant(float32(layer.bias!))], { domain: CONTRIB });
}

/** For a bias that the next operator adds on its way through the values. */
export function withoutBias(layer: Linear): Linear {
  return { ...layer, bias: undefined };
}

/** Cuts a fused layer into `parts` along its outputs. */
export function splitLayer(layer: Linear, parts: number): Linear[] {
  const outputSize = layer.outputSize / parts;
  return Array.from({ length: parts }, (_, part) => ({
    weight: layer.weight.subarray(
      part * outputSize * layer.inputSize,
      (part + 1) * outputSize * layer.inputSize,
    ),
    bias: layer.bias?.subarray(part * outputSize, (part + 1) * outputSize),
    inputSize: layer.inputSize,
    outputSize,
  }));
}

function floatLinear(graph: GraphBuilder, input: Value, layer: Linear): Value {
  const weight = graph.constant(
    float32(transpose(layer.weight, layer.outputSize, layer.inputSize), [layer.inputSize, layer.outputSize]),
  );
  const product = graph.node('MatMul', [input, weight]);
  if (layer.bias === undefined) return product;
  return graph.node('Add', [product, graph.constant(float32(layer.bias))]);
}

export interface QuantisedRows {
  /** Bytes of the type of the zero point, the shape of the input. */
  readonly values: Value;
  /** float32 [.., 1]: the largest magnitude of each row. */
  readonly maximum: Value;
}

/** x / max|x| of each row, as bytes around `zero` with steps of 1/127. What a row of zeros becomes does not matter: its product is multiplied by 0. */
export function quantiseRows(
  graph: GraphBuilder,
  input: Value,
  zero: ConstantTensor = byteScalar(128),
): QuantisedRows {
  const maximum = rowMaximum(graph, graph.node('Abs', [input]));
  const unit = graph.node('Div', [input, maximum]);
  const values = graph.node('QuantizeLinear', [unit, graph.constant(scalar(1 / 127)), graph.constant(zero)]);
  return { values, maximum };
}

/** The largest value of each row, [.., 1]. */
export function rowMaximum(graph: GraphBuilder, input: Value): Value {
  return graph.node('ReduceMax', [input, graph.constant(int64([-1]))], { attributes: { keepdims: 1 } });
}

function rowLinear(graph: GraphBuilder, rows: QuantisedRows, layer: Linear): Value {
  const { weight, scales } = quantiseChannels(layer);
  const product = graph.node(
    'MatMulIntegerToFloat',
    [
      rows.values,
      graph.constant({ type: 'int8', dims: [layer.inputSize, layer.outputSize], data: weight }),
      graph.constant(scalar(1 / 127)),
      graph.constant(float32(scales)),
      graph.constant(byteScalar(128)),
    ],
    { domain: CONTRIB },
  );
  const scaled = graph.node('Mul', [product, rows.maximum]);
  if (layer.bias === undefined) return scaled;
  return graph.node('Add', [scaled, graph.constant(float32(layer.bias))]);
}

/** A layer over bytes whose values are `x - centre`: [inputSize], in steps of a byte. */
export interface BytesLayer extends Linear {
  readonly centre: Float32Array;
}

/** y = (x - centre) Wᵀ + b over bytes x, which are multiplied as they are: at int8 no activation is rounded. */
export function bytesLinear(
  graph: GraphBuilder,
  input: Value,
  { layer, compute }: { readonly layer: BytesLayer; readonly compute: ComputeType },
): Value {
  if (compute === 'float32') {
    const bias = centredBias(layer, (index) => layer.weight[index]!);
    return floatLinear(graph, graph.node('Cast', [input], { attributes: { to: ONNX_TYPE.float32 } }), {
      ...layer,
      bias,
    });
  }
  const { weight, scales } = quantiseChannels(layer);
  const { inputSize, outputSize } = layer;
  const bias = centredBias(layer, (index) => {
    const out = Math.floor(index / inputSize);
    return weight[(index % inputSize) * outputSize + out]! * scales[out]!;
  });
  const product = graph.node(
    'MatMulIntegerToFloat',
    [
      input,
      graph.constant({ type: 'int8', dims: [inputSize, outputSize], data: weight }),
      graph.constant(scalar(1)),
      graph.constant(float32(scales)),
      graph.constant(byteScalar(0)),
    ],
    { domain: CONTRIB },
  );
  return graph.node('Add', [product, graph.constant(float32(bias))]);
}

/** What is left of the centre behind the weights as they are used; `weightAt` takes an index of [out × in]. */
function centredBias(
  { bias, centre, inputSize, outputSize }: BytesLayer,
  weightAt: (index: number) => number,
): Float32Array {
  return Float32Array.from({ length: outputSize }, (_, out) => {
    let sum = bias?.[out] ?? 0;
    for (let index = 0; index < inputSize; index += 1)
      sum -= weightAt(out * inputSize + index) * centre[index]!;
    return sum;
  });
}

/** Rows [rows × width] of a table by their numbers: `ids` int64 [..] to float32 [.. × width]; at int8 each row has a scale of its own. */
export function rowTable(
  graph: GraphBuilder,
  ids: Value,
  options: {
    readonly table: Float32Array;
    readonly rows: number;
    readonly width: number;
    readonly compute: ComputeType;
  },
): Value {
  const { table, rows, width, compute } = options;
  const rowsOf = (tensor: ConstantTensor) => graph.node('Gather', [graph.constant(tensor), ids]);
  if (compute === 'float32') return rowsOf(float32(table, [rows, width]));
  const values = new Int8Array(table.length);
  const scales = new Float32Array(rows);
  for (let row = 0; row < rows; row += 1) {
    const scale = absoluteMaximum(table.subarray(row * width, (row + 1) * width)) / 127 || 1;
    scales[row] = scale;
    for (let index = row * width; index < (row + 1) * width; index += 1)
      values[index] = Math.round(table[index]! / scale);
  }
  const bytes = rowsOf({ type: 'int8', dims: [rows, width], data: values });
  const floats = graph.node('Cast', [bytes], { attributes: { to: ONNX_TYPE.float32 } });
  return graph.node('Mul', [floats, rowsOf(float32(scales, [rows, 1]))]);
}

/** Weight [in × out] int8 and one scale per output channel, absmax / 127. */
function quantiseChannels(layer: Linear): { weight: Int8Array; scales: Float32Array } {
  const { inputSize, outputSize } = layer;
  const weight = new Int8Array(inputSize * outputSize);
  const scales = new Float32Array(outputSize);
  for (let out = 0; out < outputSize; out += 1) {
    const row = layer.weight.subarray(out * inputSize, (out + 1) * inputSize);
    const scale = absoluteMaximum(row) / 127 || 1;
    scales[out] = scale;
    for (let index = 0; index < inputSize; index += 1) {
      weight[index * outputSize + out] = Math.round(row[index]! / scale);
    }
  }
  return { weight, scales };
}

/** Weights quantised per block of 128 input channels: [out × in/128 × 128] uint8 around 128 and scales [out × in/128]. */
export interface BlockWeights {
  readonly values: Value;
  readonly scales: Value;
  readonly inputSize: number;
  readonly outputSize: number;
}

/** Throws when the input size is not a multiple of the block. */
export function blockWeights(
  graph: GraphBuilder,
  layer: Pick<Linear, 'weight' | 'inputSize' | 'outputSize'>,
): BlockWeights {
  const { inputSize, outputSize } = layer;
  if (inputSize % BLOCK_SIZE !== 0)
    throw new Error(`Input size ${inputSize} is not a multiple of ${BLOCK_SIZE}.`);
  const blocks = inputSize / BLOCK_SIZE;
  const values = new Uint8Array(outputSize * inputSize);
  const scales = new Float32Array(outputSize * blocks);
  for (let block = 0; block < scales.length; block += 1) {
    const row = layer.weight.subarray(block * BLOCK_SIZE, (block + 1) * BLOCK_SIZE);
    const scale = absoluteMaximum(row) / 127 || 1;
    scales[block] = scale;
    for (let index = 0; index < BLOCK_SIZE; index += 1) {
      values[block * BLOCK_SIZE + index] = Math.round(row[index]! / scale) + 128;
    }
  }
  return {
    values: graph.constant({ type: 'uint8', dims: [outputSize, blocks, BLOCK_SIZE], data: values }),
    scales: graph.constant(float32(scales, [outputSize, blocks])),
    inputSize,
    outputSize,
  };
}

/** A linear layer over block-quantised weights; activations are quantised per row and block inside the kernel. */
export function blockLinear(
  graph: GraphBuilder,
  input: Value,
  options: { weights: BlockWeights; bias?: Float32Array | undefined },
): Value {
  const { weights, bias } = options;
  const inputs = [input, weights.values, weights.scales];
  if (bias !== undefined) inputs.push('', '', graph.constant(float32(bias)));
  return graph.node('MatMulNBits', inputs, {
    domain: CONTRIB,
    attributes: {
      K: weights.inputSize,
      N: weights.outputSize,
      bits: 8,
      block_size: BLOCK_SIZE,
      accuracy_level: ACCUMULATE_INT8,
    },
  });
}

function absoluteMaximum(values: Float32Array): number {
  let maximum = 0;
  for (const value of values) {
    const magnitude = Math.abs(value);
    if (magnitude > maximum) maximum = magnitude;
  }
  return maximum;
}

/** [rows × columns] to [columns × rows]. */
export function transpose(values: Float32Array, rows: number, columns: number): Float32Array {
  const transposed = new Float32Array(values.length);
  for (let row = 0; row < rows; row += 1) {
    for (let column = 0; column < columns; column += 1) {
      transposed[column * rows + row] = values[row * columns + column]!;
    }
  }
  return transposed;
}
