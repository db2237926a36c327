/**
 * CLIP's tokenizer (openai/CLIP simple_tokenizer.py, as transformers' CLIPTokenizerFast has it): text in lower case, cut into pieces by a
 * pattern; the bytes of a piece are merged by rank, the last one marked as the end of a word.
 */
import { BYTE_CHARACTERS } from '../../base/byte-level.ts';

export interface BytePairs {
  /** Ids by token, special ones left out. */
  readonly tokens: ReadonlyMap<string, number>;
  /** Ranks by "left right". */
  readonly ranks: ReadonlyMap<string, number>;
  /** What a token that is not there becomes. */
  readonly unknown: number;
  /** Found in the text before anything else is done to it, or, where `isNormalized`, in what lower case has made of it. */
  readonly specials: readonly SpecialToken[];
}

export interface SpecialToken {
  readonly text: string;
  readonly id: number;
  readonly isNormalized: boolean;
}

/** Spaces are Unicode's: JavaScript's \s also takes the byte order mark for one. */
const PIECES = /'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\p{White_Space}\p{L}\p{N}]+/gu;
const SPACES = /\p{White_Space}+/gu;
const END_OF_WORD = '</w>';
/** Words are short and recur; one of thousands of letters would be a key of as many. */
const MAX_REMEMBERED = 50_000;
const MAX_REMEMBERED_LENGTH = 64;

/** Gives the ids of a text, without the first and last that frame it. */
export function createBytePairEncoder(pairs: BytePairs): (text: string) => number[] {
  const remembered = new Map<string, readonly number[]>();

  function idsOf(piece: string): readonly number[] {
    const known = remembered.get(piece);
    if (known !== undefined) return known;
    const ids = merge(piece, pairs);
    if (piece.length <= MAX_REMEMBERED_LENGTH) {
      if (remembered.size >= MAX_REMEMBERED) remembered.clear();
      remembered.set(piece, ids);
    }
    return ids;
  }

  const plain = (text: string) => [...text.matchAll(PIECES)].flatMap(([piece]) => idsOf(piece));
  const early = pairs.specials.filter(({ isNormalized }) => !isNormalized);
  const late = pairs.specials.filter(({ isNormalized }) => isNormalized);
  return (text) => around(text, early, (between) => around(normalise(between), late, plain));
}

/** Ids of what lies between the special tokens, with theirs in their places. */
function around(
  text: string,
  specials: readonly SpecialToken[],
  encode: (between: string) => number[],
): number[] {
  const ids: number[] = [];
  let rest = text;
  for (;;) {
    const found = firstOf(rest, specials);
    if (found === undefined) return [...ids, ...encode(rest)];
    ids.push(...encode(rest.slice(0, found.at)), found.special.id);
    rest = rest.slice(found.at + found.special.text.length);
  }
}

function firstOf(text: string, specials: readonly SpecialToken[]) {
  const found = specials
    .map((special) => ({ special, at: text.indexOf(special.text) }))
    .filter(({ at }) => at >= 0)
    .sort((a, b) => a.at - b.at);
  return found[0];
}

/** Lower case letter by letter: no word's end changes a sigma, as it would in JavaScript. */
function normalise(text: string): string {
  const spaced = text.normalize('NFC').replace(SPACES, ' ');
  return Array.from(spaced, (character) => character.toLowerCase()).join('');
}

function merge(piece: string, { tokens, ranks, unknown }: BytePairs): number[] {
  const parts = Array.from(Buffer.from(piece, 'utf8'), (byte) => BYTE_CHARACTERS[byte]!);
  parts[parts.length - 1] += END_OF_WORD;
  while (parts.length > 1) {
    const best = bestPair(parts, ranks);
    if (best < 0) break;
    parts.splice(best, 2, parts[best]! + parts[best + 1]!);
  }
  return parts.map((part) => tokens.get(part) ?? unknown);
}

/** Where the pair of the lowest rank stands, the first of equals; -1 where none is known. */
function bestPair(parts: readonly string[], ranks: ReadonlyMap<string, number>): number {
  let best = -1;
  let lowest = Number.POSITIVE_INFINITY;
  for (let index = 0; index + 1 < parts.length; index += 1) {
    const rank = ranks.get(`${parts[index]} ${parts[index + 1]}`);
    if (rank !== undefined && rank < lowest) {
      lowest = rank;
      best = index;
    }
  }
  return best;
}
