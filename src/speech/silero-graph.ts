/**
 * Silero's sequence model as a graph of our own, from the weights of the published one (snakers4/silero-vad,
 * `silero_vad_16k_sequence.onnx`): each convolution is one product over all frames, where a kernel for convolutions works frame by
 * frame and takes three times as long.
 *
 * Inputs  windows [N·4 × 256]: four overlapping windows of each 32 ms frame; h, c [1 × 1 × 128]: the state before
 * Outputs speech_probs [N]; hn, cn: the state after
 */
import { AppError } from '../base/errors.ts';
import { GraphBuilder, type Value } from '../graphs/graph-builder.ts';
import { transpose } from '../graphs/layers.ts';
import { type OnnxWeight, readOnnxWeights } from '../graphs/onnx-weights.ts';
import { float32, int64 } from '../graphs/tensor.ts';

export const WINDOW_SAMPLES = 256;
export const WINDOWS_PER_FRAME = 4;
export const STATE_SIZE = 128;
/** Real parts of the short-time Fourier transform, then as many imaginary ones. */
const BINS = WINDOW_SAMPLES / 2 + 1;

interface Context {
  readonly graph: GraphBuilder;
  weight(name: string, dims: readonly number[]): Float32Array;
}

/** The model for ONNX Runtime. Throws `model_failed` when the file is not the model that is known here. */
export function buildSilero(file: Uint8Array): Uint8Array {
  const graph = new GraphBuilder('silero-vad');
  const weights = readOnnxWeights(file);
  const context: Context = { graph, weight: (name, dims) => dataOf(weights.get(name), { name, dims }) };

  const windows = graph.input('windows', 'float32', ['windows', WINDOW_SAMPLES]);
  const magnitudes = spectrum(context, windows);
  const first = convolve(context, magnitudes, {
    name: 'encoder.0',
    sizes: [BINS, 128],
    starts: [0, 1, 2, 3],
  });
  const second = convolve(context, first, { name: 'encoder.1', sizes: [128, 64], starts: [0, 2] });
  const third = convolve(context, second, { name: 'encoder.2', sizes: [64, 64], starts: [0] });
  const fourth = convolve(context, third, { name: 'encoder.3', sizes: [64, 128], starts: [0] });

  const state = [1, 1, STATE_SIZE];
  const recurrent = (name: string, dims: readonly number[]) =>
    graph.constant(float32(context.weight(name, dims), dims));
  const [heard, h, c] = graph.nodes(
    'LSTM',
    [
      // [N × 1 × 128], as a sequence of N for one voice.
      fourth,
      recurrent('onnx::LSTM_209', [1, 4 * STATE_SIZE, 128]),
      recurrent('onnx::LSTM_210', [1, 4 * STATE_SIZE, STATE_SIZE]),
      recurrent('onnx::LSTM_211', [1, 8 * STATE_SIZE]),
      '',
      graph.input('h', 'float32', state),
      graph.input('c', 'float32', state),
    ],
    { attributes: { hidden_size: STATE_SIZE }, outputs: 3 },
  );
  const flat = graph.node('Reshape', [heard!, graph.constant(int64([-1, STATE_SIZE]))]);
  const product = graph.node('MatMul', [
    graph.node('Relu', [flat]),
    graph.constant(float32(context.weight('output.weight', [1, STATE_SIZE, 1]), [STATE_SIZE, 1])),
  ]);
  const scores = graph.node('Add', [product, graph.constant(float32(context.weight('output.bias', [1])))]);
  const probabilities = graph.node('Reshape', [graph.node('Sigmoid', [scores]), graph.constant(int64([-1]))]);
  graph.output('speech_probs', probabilities, { type: 'float32', dims: ['frames'] });
  graph.output('hn', h!, { type: 'float32', dims: state });
  graph.output('cn', c!, { type: 'float32', dims: state });
  return graph.toBytes();
}

/** Magnitudes of the Fourier transform of each window: [N × 4 × 129]. */
function spectrum({ graph, weight }: Context, windows: Value): Value {
  const basis = weight('stft.forward_basis_buffer', [2 * BINS, 1, WINDOW_SAMPLES]);
  const transformed = graph.node('MatMul', [
    windows,
    graph.constant(float32(transpose(basis, 2 * BINS, WINDOW_SAMPLES), [WINDOW_SAMPLES, 2 * BINS])),
  ]);
  const parts = graph.nodes('Split', [transformed, graph.constant(int64([BINS, BINS]))], {
    attributes: { axis: -1 },
    outputs: 2,
  });
  const [real, imaginary] = parts.map((part) => graph.node('Mul', [part, part]));
  const magnitudes = graph.node('Sqrt', [graph.node('Add', [real!, imaginary!])]);
  return graph.node('Reshape', [magnitudes, graph.constant(int64([-1, WINDOWS_PER_FRAME, BINS]))]);
}

/**
 * A convolution of three steps with zeros around its input [N × steps × in], and the Relu behind it: [N × starts × out]. `starts` are
 * where its windows begin in the padded input.
 */
function convolve(
  { graph, weight }: Context,
  input: Value,
  options: {
    readonly name: string;
    readonly sizes: readonly [number, number];
    readonly starts: readonly number[];
  },
): Value {
  const { name, sizes, starts } = options;
  const [inputSize, outputSize] = sizes;
  const taps = weight(`${name}.weight`, [outputSize, inputSize, 3]);
  const matrix = new Float32Array(3 * inputSize * outputSize);
  for (let out = 0; out < outputSize; out += 1)
    for (let channel = 0; channel < inputSize; channel += 1)
      for (let tap = 0; tap < 3; tap += 1)
        matrix[(tap * inputSize + channel) * outputSize + out] = taps[(out * inputSize + channel) * 3 + tap]!;
  const padded = graph.node('Pad', [input, graph.constant(int64([0, 1, 0, 0, 1, 0]))]);
  const steps = starts.flatMap((start) => [start, start + 1, start + 2]);
  const gathered = graph.node('Gather', [padded, graph.constant(int64(steps))], { attributes: { axis: 1 } });
  const columns = graph.node('Reshape', [
    gathered,
    graph.constant(int64([-1, starts.length, 3 * inputSize])),
  ]);
  const product = graph.node('MatMul', [
    columns,
    graph.constant(float32(matrix, [3 * inputSize, outputSize])),
  ]);
  const bias = graph.constant(float32(weight(`${name}.bias`, [outputSize])));
  return graph.node('Relu', [graph.node('Add', [product, bias])]);
}

function dataOf(
  found: OnnxWeight | undefined,
  { name, dims }: { readonly name: string; readonly dims: readonly number[] },
): Float32Array {
  const size = dims.reduce((product, length) => product * length, 1);
  if (found?.dims.join() === dims.join() && found.data.length === size) return found.data;
  throw new AppError(
    'model_failed',
    `The voice activity model lacks ${name} as [${dims.join(' × ')}]: it is another version than the one that Percept knows. "percept rm silero-vad" and "percept pull silero-vad" install that.`,
  );
}
