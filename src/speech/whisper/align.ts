/**
 * When each token of a text was said (openai/whisper timing.py, `find_alignment`): the decoder reads the text once more, and some of
 * its heads listen to the place where each token is spoken.
 */
import type { Attention, EncodedWindows, WhisperBackend } from '../../backends/contract.ts';
import { medianFilter } from './median-filter.ts';
import { warp } from './time-warp.ts';
import type { WhisperTokens } from './tokens.ts';

/** Seconds between two positions of the encoder. */
const POSITION_SECONDS = 0.02;
/** Positions; openai/whisper's default. */
const FILTER_WIDTH = 7;

export interface AlignRequest {
  readonly backend: WhisperBackend;
  readonly tokens: WhisperTokens;
  /** What the text was decoded behind; previous text in it is left out. */
  readonly prompt: readonly number[];
}

export interface DecodedText {
  /** Which of the encoded windows. */
  readonly index: number;
  /** Length of its audio without padding, in seconds. */
  readonly seconds: number;
  readonly tokens: readonly number[];
}

/**
 * Where each text token (timestamps and special tokens are none) begins, and where the last one ends: one number more than text
 * tokens, in seconds from the window's start, never decreasing. Undefined for a text without any.
 */
export async function alignText(
  audio: EncodedWindows,
  { index, seconds, tokens: decoded }: DecodedText,
  { backend, tokens, prompt }: AlignRequest,
): Promise<number[] | undefined> {
  const text = decoded.filter((token) => token < tokens.endOfText);
  if (text.length === 0) return undefined;
  const start = prompt.slice(prompt.lastIndexOf(tokens.startOfTranscript));
  const attention = await backend.align(audio, index, [
    ...start,
    tokens.noTimestamps,
    ...text,
    tokens.endOfText,
  ]);
  const positions = Math.floor(seconds / POSITION_SECONDS);
  return tokenTimes(attention, { first: start.length, count: text.length + 1, positions });
}

export interface TimedTokens {
  /** The token before the first wanted one: what it listens to is what comes next. */
  readonly first: number;
  readonly count: number;
  /** Positions that hold audio; the padding behind them is not looked at. */
  readonly positions: number;
}

/** When `count` tokens of the attention, one after the other, are heard, in seconds. */
export function tokenTimes(attention: Attention, { first, count, positions }: TimedTokens): number[] {
  const width = Math.max(1, Math.min(positions, attention.positions));
  const cost = new Float32Array(count * width);
  for (let head = 0; head < attention.heads; head += 1) {
    const weights = standardised(attention, head, width);
    for (let row = 0; row < count; row += 1) {
      const from = (first + row) * width;
      const smooth = medianFilter(weights.subarray(from, from + width), FILTER_WIDTH);
      for (let column = 0; column < width; column += 1)
        cost[row * width + column]! -= smooth[column]! / attention.heads;
    }
  }
  return warp(cost, count).map((position) => position * POSITION_SECONDS);
}

/**
 * One head's weights [tokens × width]: cut to the audio, each row summing to 1 again, then each position with mean 0 and deviation 1
 * over the tokens, so that a position that all tokens listen to says nothing of any.
 */
function standardised({ weights, heads, positions }: Attention, head: number, width: number): Float32Array {
  const tokens = weights.length / heads / positions;
  const cut = new Float32Array(tokens * width);
  const [sums, squares] = [new Float64Array(width), new Float64Array(width)];
  for (let token = 0; token < tokens; token += 1) {
    const from = (head * tokens + token) * positions;
    let sum = 0;
    for (let column = 0; column < width; column += 1) sum += weights[from + column]!;
    for (let column = 0; column < width; column += 1) {
      const share = weights[from + column]! / (sum || 1);
      cut[token * width + column] = share;
      sums[column]! += share;
      squares[column]! += share * share;
    }
  }
  for (let column = 0; column < width; column += 1) {
    const mean = sums[column]! / tokens;
    // Rounding may leave less than nothing where all tokens listen alike.
    const deviation = Math.sqrt(Math.max(0, squares[column]! / tokens - mean * mean)) || 1;
    for (let at = column; at < cut.length; at += width) cut[at] = (cut[at]! - mean) / deviation;
  }
  return cut;
}
