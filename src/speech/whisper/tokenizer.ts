/**
 * Byte-level byte-pair encoding as GPT-2 and Whisper use it, read from a Hugging Face `tokenizer.json`. Text becomes UTF-8 bytes, each
 * byte a printable character; pieces of a fixed pattern are then merged by rank.
 */
import { readFileSync } from 'node:fs';
import { AppError } from '../../base/errors.ts';

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

/** Reads tokenizer.json. Throws `unsupported_model` when it holds no byte-pair encoding. */
export function readTokenizer(path: string, specialFrom: number): Tokenizer {
  const { vocab, merges } = readModel(path);
  const ranks = new Map(
    merges.map((merge, rank) => [typeof merge === 'string' ? merge : merge.join(' '), rank]),
  );
  const idToBytes = new Map(Object.entries(vocab).map(([token, id]) => [id, bytesOf(token)]));
  const cache = new Map<string, number[]>();

  const encodePiece = (piece: string): number[] => {
    const known = cache.get(piece);
    if (known !== undefined) return known;
    const symbols = mergeSymbols(
      Array.from(new TextEncoder().encode(piece), (byte) => BYTE_TO_CHARACTER[byte]!),
      ranks,
    );
    const ids = symbols.map((symbol) => vocab[symbol]!);
    if (cache.size < MAX_CACHED_PIECES) cache.set(piece, ids);
    return ids;
  };

  const bytesOfText = (ids: readonly number[]) =>
    ids.filter((id) => id < specialFrom).map((id) => idToBytes.get(id) ?? new Uint8Array());
  // Otherwise a mark at the beginning would vanish from the whole text, but not from its pieces.
  const createDecoder = () => new TextDecoder('utf-8', { ignoreBOM: true });

  return {
    encode: (text) => (text.match(PIECES) ?? []).flatMap(encodePiece),
    decode: (ids) => createDecoder().decode(Buffer.concat(bytesOfText(ids))),
    pieces: (ids) => {
      const decoder = createDecoder();
      const pieces = bytesOfText(ids).map((bytes) => decoder.decode(bytes, { stream: true }));
      const last = pieces.pop();
      return last === undefined ? [] : [...pieces, last + decoder.decode()];
    },
  };
}

const MAX_CACHED_PIECES = 10_000;

interface BpeModel {
  readonly vocab: Readonly<Record<string, number>>;
  /** "a b" in older files, ["a", "b"] in newer ones. */
  readonly merges: readonly (string | readonly [string, string])[];
}

function readModel(path: string): BpeModel {
  let model: Partial<BpeModel> | undefined;
  try {
    model = (JSON.parse(readFileSync(path, 'utf8')) as { model?: Partial<BpeModel> }).model;
  } catch (cause) {
    throw new AppError(
      'unsupported_model',
      `${path} cannot be read as JSON. Remove the model and pull it again.`,
      { cause },
    );
  }
  if (model?.vocab === undefined || model.merges === undefined) {
    throw new AppError(
      'unsupported_model',
      `${path} holds no byte-pair encoding (model.vocab and model.merges).`,
    );
  }
  return model as BpeModel;
}

/** Joins the pair of lowest rank until none is left. */
function mergeSymbols(symbols: string[], ranks: ReadonlyMap<string, number>): string[] {
  while (symbols.length > 1) {
    let best = Number.POSITIVE_INFINITY;
    let place = -1;
    for (let index = 0; index + 1 < symbols.length; index += 1) {
      const rank = ranks.get(`${symbols[index]} ${symbols[index + 1]}`);
      if (rank !== undefined && rank < best) {
        best = rank;
        place = index;
      }
    }
    if (place < 0) break;
    symbols.splice(place, 2, symbols[place]! + symbols[place + 1]!);
  }
  return symbols;
}

/** GPT-2's table: printable Latin-1 bytes stand for themselves, the others for characters from U+0100 on. */
const BYTE_TO_CHARACTER: readonly string[] = byteTable();
const CHARACTER_TO_BYTE: ReadonlyMap<string, number> = new Map(
  BYTE_TO_CHARACTER.map((character, byte) => [character, byte]),
);

function byteTable(): string[] {
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) => {
    const isPrintable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    return String.fromCodePoint(isPrintable ? byte : next++);
  });
}

function bytesOf(token: string): Uint8Array {
  return Uint8Array.from(Array.from(token), (character) => CHARACTER_TO_BYTE.get(character) ?? 0x3f);
}
