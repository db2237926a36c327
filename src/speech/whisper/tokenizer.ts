/**
 * Byte-level byte-pair encoding as GPT-2 and Whisper use it. Text becomes UTF-8 bytes, each a token; neighbours in a piece of a fixed
 * pattern are then merged by rank.
 */
import type { Vocabulary } from './vocabulary.ts';

export interface Tokenizer {
  /** Ids of ordinary text; special tokens in the text are not recognised, so a prompt cannot steer the model. */
  encode(text: string): number[];
  /** The text of ordinary tokens; ids at or above `specialFrom` are left out. Bytes that are not UTF-8 become U+FFFD. */
  decode(ids: readonly number[]): string;
  /**
   * The text that each of these tokens completes, special ones left out; joined it is what `decode` gives. Empty where the next token
   * goes on with the same character.
   */
  pieces(ids: readonly number[]): string[];
}

/** GPT-2's pattern (openai/gpt-2 encoder.py). */
const PIECES = /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;

export function createTokenizer(vocabulary: Vocabulary, specialFrom: number): Tokenizer {
  const { starts, bytes } = vocabulary;
  let encoder: ((piece: string) => number[]) | undefined;

  const bytesOfText = (ids: readonly number[]) =>
    ids
      .filter((id) => id < specialFrom && id + 1 < starts.length)
      .map((id) => bytes.subarray(starts[id]!, starts[id + 1]!));
  // Otherwise a mark at the beginning would vanish from the whole text, but not from its pieces.
  const createDecoder = () => new TextDecoder('utf-8', { ignoreBOM: true });

  return {
    encode: (text) => {
      // Only a prompt is ever encoded, and few have one.
      encoder ??= createEncoder(vocabulary);
      return (text.match(PIECES) ?? []).flatMap(encoder);
    },
    decode: (ids) => createDecoder().decode(Buffer.concat(bytesOfText(ids))),
    pieces: (ids) => {
      const decoder = createDecoder();
      const pieces = bytesOfText(ids).map((bytes) => decoder.decode(bytes, { stream: true }));
      const last = pieces.pop();
      return last === undefined ? [] : [...pieces, last + decoder.decode()];
    },
  };
}

/** From a piece of the pattern to its tokens. */
function createEncoder({ starts, bytes, merges }: Vocabulary): (piece: string) => number[] {
  const tokens = starts.length - 1;
  const byteIds = new Uint32Array(256);
  for (let id = 0; id < tokens; id += 1)
    if (starts[id + 1]! - starts[id]! === 1) byteIds[bytes[starts[id]!]!] = id;
  const ranks = new Map<number, number>();
  for (let rank = 0; 3 * rank < merges.length; rank += 1)
    ranks.set(merges[3 * rank]! * tokens + merges[3 * rank + 1]!, rank);

  return (piece) => {
    const ids = Array.from(new TextEncoder().encode(piece), (byte) => byteIds[byte]!);
    while (ids.length > 1) {
      let best = Number.POSITIVE_INFINITY;
      let place = -1;
      for (let index = 0; index + 1 < ids.length; index += 1) {
        const rank = ranks.get(ids[index]! * tokens + ids[index + 1]!);
        if (rank !== undefined && rank < best) {
          best = rank;
          place = index;
        }
      }
      if (place < 0) break;
      ids.splice(place, 2, merges[3 * best + 2]!);
    }
    return ids;
  };
}
