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
import { createSlab } from '../../backends/slab.ts';
import { HEAD_SIZE } from './checkpoint.ts';
import { type ConvertedWhisper, DECODER_FILE, ENCODER_FILE } from './convert.ts';
import { type OnnxWindows, startEncoder } from './encoder-thread.ts';
import {
  canMove,
  copyLeading,
  integers,
  mapValues,
  moveLeading,
  orderLeading,
  sliceOf,
  type Tensors,
  tensorsIn,
} from './tensors.ts';
import { openTokenEmbedding } from './token-embedding.ts';
import { MAX_WINDOW_SECONDS } from './windows.ts';

/**
 * Windows come in few lengths, so that they can be decoded as one batch without masks; what `speech.vad.max_speech_seconds` allows by
 * default fits into the first. On 48 variants of six recordings errors were no more than with 30 s (docs/benchmarks.md, "Window length").
 */
const WINDOW_FRAMES = [1472, 1792, 2112, 2496, 3000];

/** Self-attention keys and values, [rows × heads × length × 64]. */
interface OnnxState extends DecoderState {
  readonly tensors: Tensors;
}

/** What keys and values of rows have room for from the beginning, and the most that is kept. */
const USUAL_STATE = { rows: 8, length: 64 };
const LARGEST_STATE = { rows: 20, length: 128 };

const SMALL_OUTPUTS = ['text_values', 'text_ids', 'text_lse', 'end_logit'];

/** `directory` is what `convertWhisper` has written, `model` what `readConverted` has read of it. */
export async function openOnnxWhisper(
  directory: string,
  model: Pick<ConvertedWhisper, 'compute' | 'embedding' | 'sizes' | 'tokens'>,
  threads: number,
): Promise<WhisperBackend> {
  const { sizes, compute } = model;
  const { timestamps } = model.tokens;
  // Both at the same time.
  const starting = startEncoder({ path: join(directory, ENCODER_FILE), format: { sizes, compute }, threads });
  const decoder = await openOnnxSession(join(directory, DECODER_FILE), { threads });
  const encoder = await starting;
  const table =
    model.embedding &&
    openTokenEmbedding(join(directory, `${DECODER_FILE}.data`), model.embedding, sizes.width);
  const kept = Array.from({ length: sizes.decoderLayers }, (_, layer) => [
    `key_${layer}`,
    `value_${layer}`,
  ]).flat();
  const stateBytes = ({ rows, length }: { rows: number; length: number }) =>
    kept.length * rows * sizes.heads * length * HEAD_SIZE * Float32Array.BYTES_PER_ELEMENT;
  let scoreMemory = new Float32Array(0);
  // One is read while the next is written.
  const states = createSlab({
    least: stateBytes(USUAL_STATE),
    most: 2,
    largest: stateBytes(LARGEST_STATE),
  });

  function feedsOf(input: Omit<DecodeInput, 'withLogits'>, aligned: number): Record<string, OnnxTensor> {
    const audio = input.audio as OnnxWindows;
    const rows = input.tokens.length;
    const count = input.tokens[0]!.length;
    const past = input.state?.length ?? 0;
    const positions = Array.from({ length: count }, (_, index) => past + index);
    return {
      ...prefixed('cross_', audio.tensors),
      ...prefixed('past_', (input.state as OnnxState | undefined)?.tensors ?? emptyCache(rows)),
      ...(table === undefined
        ? { ids: integers(input.tokens.flat(), [rows, count]) }
        : { embedded: { data: table.rows(input.tokens.flat()), dims: [rows, count, sizes.width] } }),
      positions: integers(positions),
      select: integers(input.select),
      candidates: integers([input.candidates]),
      ...beamsOf(input.beams, [count, sizes.width]),
      aligned: integers([aligned]),
    };
  }

  async function decode(input: DecodeInput): Promise<DecodeOutput> {
    const rows = input.tokens.length;
    const length = (input.state?.length ?? 0) + input.tokens[0]!.length;
    const state = allocateState(rows, length);
    const { logits, ...scores } = scoresOf(rows * input.select.length, input.withLogits);
    const shape = [rows, input.select.length];
    const into = {
      ...prefixed('present_', state.tensors),
      timestamps: { data: scores.timestamps, dims: [...shape, timestamps] },
      ...(logits === undefined ? {} : { logits: { data: logits, dims: [...shape, sizes.vocabulary] } }),
    };
    const results = await decoder.run(feedsOf(input, 0), SMALL_OUTPUTS, into);
    input.state?.release();
    const float = (name: string) => results[name]!.data as Float32Array;
    return {
      state,
      textValues: float('text_values'),
      textIds: results['text_ids']!.data as BigInt64Array,
      textLogSum: float('text_lse'),
      endLogit: float('end_logit'),
      timestamps: scores.timestamps,
      logits,
    };
  }

  async function align(audio: EncodedWindows, index: number, tokens: readonly number[]): Promise<Attention> {
    const input = {
      audio: part(audio, index, index + 1),
      state: undefined,
      tokens: [tokens],
      beams: [1],
      select: [0],
      candidates: 1,
    };
    const { attention } = await decoder.run(feedsOf(input, tokens.length), ['attention']);
    const { data, dims } = attention as OnnxTensor<Float32Array>;
    return { heads: dims[1]!, positions: dims[3]!, weights: data };
  }

  /** Memory for the larger outputs, the same for every call: garbage of a step that the collector hardly sees. */
  function scoresOf(places: number, withLogits: boolean) {
    const widths = [timestamps, withLogits ? sizes.vocabulary : 0] as const;
    const wanted = places * (widths[0] + widths[1]);
    if (scoreMemory.length < wanted) scoreMemory = new Float32Array(wanted);
    const first = places * widths[0];
    return {
      timestamps: scoreMemory.subarray(0, first),
      logits: withLogits ? scoreMemory.subarray(first, wanted) : undefined,
    };
  }

  function emptyCache(rows: number): Tensors {
    return tensorsIn(new Float32Array(0), kept, [rows, sizes.heads, 0, HEAD_SIZE]);
  }

  function allocateState(rows: number, length: number): OnnxState {
    const memory = states.take(stateBytes({ rows, length }));
    return {
      rows,
      length,
      tensors: tensorsIn(new Float32Array(memory), kept, [rows, sizes.heads, length, HEAD_SIZE]),
      release: () => states.give(memory),
    };
  }

  function selectRows(given: DecoderState, rows: readonly number[]): OnnxState {
    const state = given as OnnxState;
    if (canMove(rows)) {
      const tensors = mapValues(state.tensors, (tensor) => moveLeading(tensor, rows));
      return { ...state, rows: rows.length, tensors };
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
    windowFrames: WINDOW_FRAMES,
    maxTokens: sizes.textPositions,
    // openai/whisper's `sample_len`: the other half is for the text before.
    maxText: Math.floor(sizes.textPositions / 2),
    maxSpeechSeconds: MAX_WINDOW_SECONDS,
    hasTimestamps: true,
    encodesBeside: threads > 1,
    encode: encoder.encode,
    orderWindows(audio, order) {
      const tensors = Object.values((audio as OnnxWindows).tensors);
      const largest = Math.max(...tensors.map(({ data }) => data.byteLength));
      const spare = new Uint8Array(largest / audio.count);
      for (const tensor of tensors) orderLeading(tensor, order, spare);
    },
    firstWindows: (audio, count) => part(audio, 0, count),
    decode,
    align,
    selectRows,
    async close() {
      await encoder.close();
      await decoder.close();
      table?.close();
    },
  };
}

function prefixed(prefix: string, tensors: Tensors): Tensors {
  return Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [prefix + name, tensor]));
}

/**
 * `beams` rows of each window at equally many places for each: where a window has fewer, its last one stands at the rest, too. Its queries
 * are answered for nothing, which costs less than rows of their own all the way.
 */
function beamsOf(
  beams: readonly number[],
  [tokens, width]: readonly [number, number],
): Record<'beam_shape' | 'rows_of_places' | 'places_of_rows', OnnxTensor> {
  const places = Math.max(...beams);
  const [rowsOfPlaces, placesOfRows]: [number[], number[]] = [[], []];
  for (const [window, count] of beams.entries()) {
    const first = placesOfRows.length;
    for (let place = 0; place < places; place += 1) rowsOfPlaces.push(first + Math.min(place, count - 1));
    for (let row = 0; row < count; row += 1) placesOfRows.push(window * places + row);
  }
  return {
    beam_shape: integers([beams.length, places * tokens, width]),
    rows_of_places: integers(rowsOfPlaces),
    places_of_rows: integers(placesOfRows),
  };
}

/** Windows [start, end) of `audio`, which still owns them. */
function part(audio: EncodedWindows, start: number, end: number): OnnxWindows {
  const tensors = mapValues((audio as OnnxWindows).tensors, (tensor) => sliceOf(tensor, start, end));
  return { count: end - start, tensors, release: () => {} };
}
