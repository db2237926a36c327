/**
 * Whisper on a Hailo device, behind the backend contract: what is above it does not know where it runs. The device computes both networks;
 * features, embeddings, the choice of tokens and everything after them are the host's.
 */
import type {
  DecodeInput,
  DecodeOutput,
  DecoderState,
  EncodedWindows,
  WhisperBackend,
} from '../../../backends/contract.ts';
import { AppError } from '../../../base/errors.ts';
import { FRAMES_PER_SECOND } from '../mel.ts';
import type { WhisperTokens } from '../tokens.ts';
import type { Sequence, SequenceEmbedding } from './embedding.ts';
import type { WhisperNetworks } from './networks.ts';
import { createScorer, penaliseRepetition } from './scores.ts';

export interface HailoWhisperParts {
  readonly networks: WhisperNetworks;
  readonly embedding: SequenceEmbedding;
  readonly tokens: WhisperTokens;
  readonly repetitionPenalty: number;
  readonly hasTimestamps: boolean;
  close(): Promise<void>;
}

interface HailoWindows extends EncodedWindows {
  /** [T/2 × width] of each window; orderWindows() changes their order. */
  readonly hidden: Float32Array[];
}

interface HailoState extends DecoderState {
  readonly sequences: readonly Sequence[];
}

/** What Whisper writes of speech, words and their punctuation; of faster speech a window is cut once it is full. */
const TOKENS_PER_SECOND = 4;
/** Start, language and task before a text, and the times at its ends. */
const TOKENS_AROUND = 5;
/** Silence that a window ends in: Whisper was trained with it and repeats itself without. */
const TRAILING_SECONDS = 1;

export function createHailoWhisper(parts: HailoWhisperParts): WhisperBackend {
  const { networks, embedding, tokens, repetitionPenalty, hasTimestamps } = parts;
  const { frames, melBins, sequence, vocabulary } = networks;
  const scorer = createScorer(tokens);
  const byRoom = (sequence - TOKENS_AROUND) / TOKENS_PER_SECOND;
  const byWindow = frames / FRAMES_PER_SECOND - TRAILING_SECONDS;

  async function decode(input: DecodeInput): Promise<DecodeOutput> {
    const { audio, beams, select, candidates, withLogits } = input;
    const rows = input.tokens.length;
    const state = input.state as HailoState | undefined;
    const past = state?.length ?? 0;
    const places = rows * select.length;
    const output = {
      textValues: new Float32Array(places * candidates),
      textIds: new BigInt64Array(places * candidates),
      textLogSum: new Float32Array(places),
      endLogit: new Float32Array(places),
      timestamps: new Float32Array(places * tokens.timestamps),
      logits: withLogits ? new Float32Array(places * vocabulary) : undefined,
    };
    const windows = beams.flatMap((count, window) => Array.from({ length: count }, () => window));
    const sequences: Sequence[] = [];
    const logits = new Float32Array(vocabulary);
    for (let row = 0; row < rows; row += 1) {
      const current = embedding.extend(state?.sequences[row], input.tokens[row]!);
      sequences.push(current);
      const slices = await networks.decode((audio as HailoWindows).hidden[windows[row]!]!, current.embedded);
      for (const [index, selected] of select.entries()) {
        slices.copyRow(past + selected, logits);
        const said = saidUntil(current.tokens, past + selected);
        penaliseRepetition(logits, said, { penalty: repetitionPenalty, endOfText: tokens.endOfText });
        const place = row * select.length + index;
        const [from, to] = [place * candidates, (place + 1) * candidates];
        output.textLogSum[place] = scorer.text(logits, {
          values: output.textValues.subarray(from, to),
          ids: output.textIds.subarray(from, to),
        });
        output.endLogit[place] = logits[tokens.endOfText]!;
        output.timestamps.set(logits.subarray(tokens.firstTimestamp), place * tokens.timestamps);
        output.logits?.set(logits, place * vocabulary);
      }
    }
    state?.release();
    return { ...output, state: stateOf(sequences) };
  }

  /** The text after the prompt, up to a place of the sequence. */
  function saidUntil(all: readonly number[], place: number): readonly number[] {
    return all.slice(all.lastIndexOf(tokens.startOfTranscript) + 1, place + 1);
  }

  return {
    melBins,
    vocabulary,
    windowFrames: [frames],
    maxTokens: sequence,
    maxText: sequence,
    maxSpeechSeconds: Math.max(1, Math.min(byRoom, byWindow)),
    hasTimestamps,
    // The device encodes while the host looks at what was decoded.
    encodesBeside: true,
    async encode(mels) {
      const hidden: Float32Array[] = [];
      for (const mel of mels) hidden.push(await networks.encode(framesFirst(mel, melBins)));
      return windowsOf(hidden);
    },
    orderWindows(audio, order) {
      const { hidden } = audio as HailoWindows;
      const before = hidden.slice(0, order.length);
      for (const [place, from] of order.entries()) hidden[place] = before[from]!;
    },
    firstWindows: (audio, count) => windowsOf((audio as HailoWindows).hidden.slice(0, count)),
    decode,
    align() {
      throw new AppError(
        'unsupported_parameter',
        'A model on a Hailo device gives no times of words: what its decoder listens to stays on the device. Ask for segments, or for a model on the CPU.',
        { param: 'timestamp_granularities' },
      );
    },
    selectRows(given, rows) {
      const { sequences } = given as HailoState;
      return stateOf(rows.map((row) => sequences[row]!));
    },
    async close() {
      await networks.close();
      await parts.close();
    },
  };
}

/** Nothing but memory of ours, which the collector frees. */
const release = () => {};

function windowsOf(hidden: Float32Array[]): HailoWindows {
  return { count: hidden.length, hidden, release };
}

function stateOf(sequences: readonly Sequence[]): HailoState {
  return { rows: sequences.length, length: sequences[0]?.tokens.length ?? 0, sequences, release };
}

/** [bins × frames] to [frames × bins]: channels come last on the device. */
function framesFirst(mel: Float32Array, bins: number): Float32Array {
  const frames = mel.length / bins;
  const turned = new Float32Array(mel.length);
  for (let bin = 0; bin < bins; bin += 1)
    for (let frame = 0; frame < frames; frame += 1) turned[frame * bins + bin] = mel[bin * frames + frame]!;
  return turned;
}
