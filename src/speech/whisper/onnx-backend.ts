/** Whisper's encoder and decoder graphs on ONNX Runtime, behind the backend contract. */
import { join } from 'node:path';
import { createBufferPool } from '../../backends/buffer-pool.ts';
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
import { type OnnxWindows, startEncoder } from './encoder-thread.ts';
import {
  canMove,
  copyLeading,
  type FloatTensor,
  integers,
  mapValues,
  moveLeading,
  orderLeading,
  sliceOf,
  type Tensors,
  tensorsIn,
} from './tensors.ts';

/** Mel frames in a second of audio. */
const FRAMES_PER_SECOND = 100;
/**
 * Windows come in few lengths, so that they can be decoded as one batch without masks; what `speech.vad.max_speech_seconds` allows by
 * default fits into the first. On 48 variants of six recordings errors were no more than with 30 s (docs/benchmarks.md, "Window length").
 */
const WINDOW_SECONDS = [15, 18, 21, 25, 30];

/** Self-attention keys and values by graph input name, [rows × heads × length × 64]. */
interface OnnxState extends DecoderState {
  readonly tensors: Tensors;
}

/** Of keys and values of rows that wait to be used again: several steps of a batch of base. */
const POOL_BYTES = 16 * 2 ** 20;

const SMALL_OUTPUTS = ['text_values', 'text_ids', 'text_lse', 'end_logit', 'timestamps'];

export async function openOnnxWhisper(
  directory: string,
  options: { readonly sizes: WhisperSizes; readonly threads: number },
): Promise<WhisperBackend> {
  const { sizes, threads } = options;
  // Both at the same time.
  const starting = startEncoder({ path: join(directory, ENCODER_FILE), sizes, threads });
  const decoder = await openOnnxSession(join(directory, DECODER_FILE), { threads });
  const encoder = await starting;
  const layers = Array.from({ length: sizes.decoderLayers }, (_, layer) => layer);
  const states = createBufferPool(POOL_BYTES);

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
    const state = allocateState(rows, length);
    const present = Object.entries(state.tensors).map(([name, tensor]) => [
      name.replace('past', 'present'),
      tensor,
    ]);
    const wanted = [...SMALL_OUTPUTS, ...(input.withLogits ? ['logits'] : [])];
    const results = await decoder.run(feedsOf(input, 0), wanted, Object.fromEntries(present) as Tensors);
    input.state?.release();
    const float = (name: string) => results[name]!.data as Float32Array;
    return {
      state,
      textValues: float('text_values'),
      textIds: results['text_ids']!.data as BigInt64Array,
      textLogSum: float('text_lse'),
      endLogit: float('end_logit'),
      timestamps: float('timestamps'),
      logits: input.withLogits ? float('logits') : undefined,
    };
  }

  async function align(audio: EncodedWindows, index: number, tokens: readonly number[]): Promise<Attention> {
    const input = {
      audio: part(audio, index, index + 1),
      state: undefined,
      tokens: [tokens],
      select: [0],
      candidates: 1,
    };
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

  function allocateState(rows: number, length: number): OnnxState {
    const dims = [rows, sizes.heads, length, HEAD_SIZE];
    const memory = states.take(2 * layers.length * rows * sizes.heads * length * HEAD_SIZE);
    return {
      rows,
      length,
      tensors: tensorsIn(memory, {
        layers: sizes.decoderLayers,
        name: (kind, layer) => `past_${kind}_${layer}`,
        dims: { key: dims, value: dims },
      }),
      release: () => states.give(memory),
    };
  }

  function selectRows(given: DecoderState, rows: readonly number[]): OnnxState {
    const state = given as OnnxState;
    if (canMove(rows)) {
      const kept = mapValues(state.tensors, (tensor) => moveLeading(tensor, rows));
      return { ...state, rows: rows.length, tensors: kept };
    }
    const copy = allocateState(rows.length, state.length);
    for (const [name, tensor] of Object.entries(copy.tensors))
      copyLeading(state.tensors[name]!, rows, tensor);
    state.release();
    return copy;
  }

  return {
    melBins: sizes.melBins,
    vocabulary: sizes.vocabulary,
    windowFrames: WINDOW_SECONDS.map((seconds) => seconds * FRAMES_PER_SECOND),
    maxTokens: sizes.textPositions,
    encodesBeside: threads > 1,
    encode: encoder.encode,
    orderWindows(audio, order) {
      const tensors = Object.values((audio as OnnxWindows).tensors);
      const spare = states.take(tensors[0]!.data.length / audio.count);
      for (const tensor of tensors) orderLeading(tensor, order, spare);
      states.give(spare);
    },
    firstWindows: (audio, count) => part(audio, 0, count),
    decode,
    align,
    selectRows,
    async close() {
      await encoder.close();
      await decoder.close();
    },
  };
}

/** Windows [start, end) of `audio`, which still owns them. */
function part(audio: EncodedWindows, start: number, end: number): OnnxWindows {
  const tensors = mapValues((audio as OnnxWindows).tensors, (tensor) => sliceOf(tensor, start, end));
  return { count: end - start, tensors, release: () => {} };
}
