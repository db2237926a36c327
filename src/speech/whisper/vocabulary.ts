/**
 * A Hugging Face `tokenizer.json` with byte-level byte-pair encoding, as numbers: the JSON of Whisper's 50,000 merges would take 60 MB
 * of every model process, these tables take 2.
 */
import { readFileSync } from 'node:fs';
import { BYTE_CHARACTERS } from '../../base/byte-level.ts';
import { AppError } from '../../base/errors.ts';

export interface Vocabulary {
  /** Bytes of token `id`: `bytes` from starts[id] to starts[id + 1]. */
  readonly starts: Uint32Array;
  readonly bytes: Uint8Array;
  /** [left, right, joined] ids of each merge, by rank. */
  readonly merges: Uint32Array;
}

/** Reads tokenizer.json. Throws `unsupported_model` when it holds no byte-pair encoding. */
export function readVocabulary(path: string): Vocabulary {
  const { vocab, merges } = readModel(path);
  const tokens: Uint8Array[] = [];
  for (const [token, id] of Object.entries(vocab)) tokens[id] = bytesOf(token);
  const starts = new Uint32Array(tokens.length + 1);
  for (let id = 0; id < tokens.length; id += 1) starts[id + 1] = starts[id]! + (tokens[id]?.length ?? 0);
  const idOf = (token: string): number => {
    const id = vocab[token];
    if (id === undefined)
      throw new AppError('unsupported_model', `${path} merges ${JSON.stringify(token)}, which is no token.`);
    return id;
  };
  return {
    starts,
    bytes: Buffer.concat(tokens.map((token) => token ?? new Uint8Array())),
    merges: Uint32Array.from(
      merges.flatMap((merge) => {
        const [left, right] = typeof merge === 'string' ? merge.split(' ') : merge;
        return [idOf(left!), idOf(right!), idOf(left! + right!)];
      }),
    ),
  };
}

/** [tokens, merges, starts.., merges.., bytes..], little-endian. */
export function packVocabulary({ starts, bytes, merges }: Vocabulary): Uint8Array {
  const header = Uint32Array.of(starts.length, merges.length);
  return Buffer.concat(
    [header, starts, merges].map((words) => Buffer.from(words.buffer)).concat(Buffer.from(bytes)),
  );
}

export function unpackVocabulary(packed: Uint8Array): Vocabulary {
  const { buffer } = new Uint8Array(packed); // at a place of its own, that words can be read from
  const [startCount = 0, mergeCount = 0] = new Uint32Array(buffer, 0, 2);
  const starts = new Uint32Array(buffer, 8, startCount);
  const merges = new Uint32Array(buffer, 8 + 4 * startCount, mergeCount);
  return { starts, merges, bytes: new Uint8Array(buffer, 8 + 4 * (startCount + mergeCount)) };
}

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

const CHARACTER_TO_BYTE: ReadonlyMap<string, number> = new Map(
  BYTE_CHARACTERS.map((character, byte) => [character, byte]),
);

function bytesOf(token: string): Uint8Array {
  return Uint8Array.from(Array.from(token), (character) => CHARACTER_TO_BYTE.get(character) ?? 0x3f);
}
