/** Whisper's encoder and decoder graphs on ONNX Runtime, behind the backend contract. */
import { join } from 'node:path';
import type {
  Attention,
  DecodeInput,
  DecodeOutput,
  DecoderState,
  EncodedWindows,
  WhisperBackend,
} from '../../backends/contract.ts';
import { type OnnxTensor, openOnnxSession } from '../../backends/onnx.ts';
import { HEAD_SIZE, type WhisperSizes } from './checkpoint.ts';
import { DECODER_FILE, ENCODER_FILE } from './convert.ts';

/** Mel frames in a second of audio. */
const FRAMES_PER_SECOND = 100;
/**
 * Windows come in few lengths, so that many share one and can be decoded as one batch without padding. The shortest was chosen
 * on 48 variants of six recordings: from 12 s on, errors are no more than with 30 s (docs/benchmarks.md, "Window length").
 */
const WINDOW_SECONDS = [12, 15, 18, 21, 25, 30];

type FloatTensor = OnnxTensor<Float32Array>;

/** Cross-attention keys and values by graph input name, [windows × ...]. */
interface OnnxWindows extends EncodedWindows {
  readonly tensors: Readonly<Record<string, FloatTensor>>;
}

/** Self-attention keys and values by graph input name, [rows × heads × length × 64]. */
interface OnnxState extends DecoderState {
  readonly tensors: Readonly<Record<string, FloatTensor>>;
}

const SMALL_OUTPUTS = ['text_values', 'text_ids', 'text_lse', 'end_logit', 'timestamps'];

export async function openOnnxWhisper(
  directory: string,
  options: { readonly sizes: WhisperSizes; readonly threads: number },
): Promise<WhisperBackend> {
  const { sizes, threads } = options;
  const encoder = await openOnnxSession(join(directory, ENCODER_FILE), { threads });
  const decoder = await openOnnxSession(join(directory, DECODER_FILE), { threads });
  const layers = Array.from({ length: sizes.decoderLayers }, (_, layer) => layer);
  const encoderOutputs = layers.flatMap((layer) => [`key_${layer}`, `value_${layer}`]);
  const presentOutputs = layers.flatMap((layer) => [`present_key_${layer}`, `present_value_${layer}`]);

  function feedsOf(input: Omit<DecodeInput, 'withLogits'>, aligned: number): Record<string, OnnxTensor> {
    const audio = input.audio as OnnxWindows;
    const rows = input.tokens.length;
    const count = input.tokens[0]!.length;
    const past = input.state?.length ?? 0;
    const positions = Array.from({ length: count }, (_, index) => past + index);
    return {
      ...audio.tensors,
      ...(input.state === undefined ? emptyCache(rows) : (input.state as OnnxState).tensors),
      ids: integers(input.tokens.flat(), [rows, count]),
      positions: integers(positions),
      select: integers(input.select),
      candidates: integers([input.candidates]),
      beam_shape: integers([audio.count, (rows / audio.count) * count, sizes.width]),
      aligned: integers([aligned]),
    };
  }

  async function decode(input: DecodeInput): Promise<DecodeOutput> {
    const rows = input.tokens.length;
    const length = (input.state?.length ?? 0) + input.tokens[0]!.length;
    const wanted = [...SMALL_OUTPUTS, ...presentOutputs, ...(input.withLogits ? ['logits'] : [])];
    const results = await decoder.run(feedsOf(input, 0), wanted);
    const float = (name: string) => results[name]!.data as Float32Array;
    return {
      state: stateOf(rows, length, (kind, layer) => results[`present_${kind}_${layer}`] as FloatTensor),
      textValues: float('text_values'),
      textIds: results['text_ids']!.data as BigInt64Array,
      textLogSum: float('text_lse'),
      endLogit: float('end_logit'),
      timestamps: float('timestamps'),
      logits: input.withLogits ? float('logits') : undefined,
    };
  }

  async function align(audio: EncodedWindows, index: number, tokens: readonly number[]): Promise<Attention> {
    const { tensors } = audio as OnnxWindows;
    const window = windowsOf(
      1,
      mapValues(tensors, (tensor) => sliceOf(tensor, index, index + 1)),
    );
    const input = { audio: window, state: undefined, tokens: [tokens], select: [0], candidates: 1 };
    const { attention } = await decoder.run(feedsOf(input, tokens.length), ['attention']);
    const { data, dims } = attention as FloatTensor;
    return { heads: dims[1]!, positions: dims[3]!, weights: data };
  }

  function emptyCache(rows: number): Record<string, FloatTensor> {
    const empty = { data: new Float32Array(0), dims: [rows, sizes.heads, 0, HEAD_SIZE] };
    return Object.fromEntries(
      layers.flatMap((layer) => [
        [`past_key_${layer}`, empty],
        [`past_value_${layer}`, empty],
      ]),
    );
  }

  function stateOf(
    rows: number,
    length: number,
    tensor: (kind: 'key' | 'value', layer: number) => FloatTensor,
  ): OnnxState {
    const tensors: Record<string, FloatTensor> = {};
    for (const layer of layers) {
      tensors[`past_key_${layer}`] = tensor('key', layer);
      tensors[`past_value_${layer}`] = tensor('value', layer);
    }
    return { rows, length, tensors, release: () => release(tensors) };
  }

  return {
    melBins: sizes.melBins,
    vocabulary: sizes.vocabulary,
    windowFrames: WINDOW_SECONDS.map((seconds) => seconds * FRAMES_PER_SECOND),
    maxTokens: sizes.textPositions,
    async encode(mel, { count, frames }) {
      const outputs = await encoder.run(
        { mel: { data: mel, dims: [count, sizes.melBins, frames] } },
        encoderOutputs,
      );
      const named = Object.entries(outputs).map(([name, tensor]) => [`cross_${name}`, tensor as FloatTensor]);
      return windowsOf(count, Object.fromEntries(named) as Record<string, FloatTensor>);
    },
    orderWindows(audio, order) {
      for (const tensor of Object.values((audio as OnnxWindows).tensors)) orderLeading(tensor, order);
    },
    firstWindows(audio, count) {
      const { tensors } = audio as OnnxWindows;
      return windowsOf(
        count,
        mapValues(tensors, (tensor) => sliceOf(tensor, 0, count)),
      );
    },
    decode,
    align,
    selectRows(state, rows) {
      const tensors = mapValues((state as OnnxState).tensors, (tensor) => selectLeading(tensor, rows));
      return {
        rows: rows.length,
        length: state.length,
        tensors,
        release: () => release(tensors),
      } satisfies OnnxState;
    },
    async close() {
      await encoder.close();
      await decoder.close();
    },
  };
}

function windowsOf(count: number, tensors: Record<string, FloatTensor>): OnnxWindows {
  return { count, tensors, release: () => release(tensors) };
}

/** Drops the references; the runtime's memory goes with them. */
function release(tensors: Record<string, FloatTensor>): void {
  for (const name of Object.keys(tensors)) delete tensors[name];
}

function integers(values: readonly number[], dims: readonly number[] = [values.length]): OnnxTensor {
  return { data: BigInt64Array.from(values, BigInt), dims };
}

function mapValues(
  tensors: Readonly<Record<string, FloatTensor>>,
  change: (tensor: FloatTensor) => FloatTensor,
): Record<string, FloatTensor> {
  return Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, change(tensor)]));
}

/** Indices [start, end) of the first dimension, without a copy. */
function sliceOf({ data, dims: [all, ...rest] }: FloatTensor, start: number, end: number): FloatTensor {
  const size = data.length / all!;
  return { data: data.subarray(start * size, end * size), dims: [end - start, ...rest] };
}

/** Permutes the first dimension in place, cycle by cycle. */
function orderLeading({ data, dims }: FloatTensor, order: readonly number[]): void {
  const size = data.length / dims[0]!;
  const isDone = order.map((from, to) => from === to);
  for (let first = 0; first < order.length; first += 1) {
    if (isDone[first]) continue;
    const kept = data.slice(first * size, (first + 1) * size);
    let to = first;
    for (; order[to] !== first; to = order[to]!) {
      data.copyWithin(to * size, order[to]! * size, (order[to]! + 1) * size);
      isDone[to] = true;
    }
    data.set(kept, to * size);
    isDone[to] = true;
  }
}

/**
 * The given indices of the first dimension. Where every kept row stands at or before its old place the rest is moved inside the
 * same memory (rows that leave a batch cost one move); otherwise (beams that fork) it is copied.
 */
function selectLeading(tensor: FloatTensor, rows: readonly number[]): FloatTensor {
  const size = tensor.data.length / tensor.dims[0]!;
  const dims = [rows.length, ...tensor.dims.slice(1)];
  const canMove = rows.every(
    (row, place) => row === place || (row >= rows.length && rows.indexOf(row) === place),
  );
  if (canMove) {
    rows.forEach((row, place) => {
      if (row !== place) tensor.data.copyWithin(place * size, row * size, (row + 1) * size);
    });
    return { data: tensor.data.subarray(0, rows.length * size), dims };
  }
  const data = new Float32Array(rows.length * size);
  rows.forEach((row, place) => {
    data.set(tensor.data.subarray(row * size, (row + 1) * size), place * size);
  });
  return { data, dims };
}
