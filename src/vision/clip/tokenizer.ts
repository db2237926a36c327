/** Texts to the numbers that a text encoder reads. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Tokenizer } from '@huggingface/tokenizers';
import { z } from 'zod';
import { AppError } from '../../base/errors.ts';
import { type BytePairs, createBytePairEncoder, type SpecialToken } from './byte-pairs.ts';
import type { ClipDescription } from './description.ts';

export interface EncodedText {
  /** Framed by the model's first and last token, and filled up where the model wants that. */
  readonly ids: readonly number[];
  /** The place that stands for the text. */
  readonly end: number;
  /** Tokens without what fills it up. */
  readonly length: number;
}

export interface TextTokenizer {
  /** Throws `context_exceeded` with the count for a text that is too long: nothing is cut. */
  encode(text: string): EncodedText;
}

const START = '<|startoftext|>';
const END = '<|endoftext|>';
/** A character may be a token: longer texts are too long whatever they are, and are not looked at. */
const MAX_CHARACTERS_PER_TOKEN = 64;

type Limits = Pick<ClipDescription, 'contextLength' | 'isPadded'>;

/** Reads tokenizer.json, or vocab.json and merges.txt, in `directory`. Throws `unsupported_model`. */
export function openTextTokenizer(directory: string, limits: Limits): TextTokenizer {
  const path = join(directory, 'tokenizer.json');
  if (!existsSync(path)) return clipTokenizer(readVocabularyFiles(directory), limits);
  const json = readJson(path);
  const clip = clipSchema.safeParse(json);
  if (clip.success) return clipTokenizer(pairsOf(clip.data), limits);
  return otherTokenizer(directory, json, limits);
}

const clipSchema = z.object({
  added_tokens: z.array(z.object({ id: z.int(), content: z.string(), normalized: z.boolean() })),
  model: z.object({
    type: z.literal('BPE').optional(),
    end_of_word_suffix: z.literal('</w>'),
    unk_token: z.string().optional(),
    vocab: z.record(z.string(), z.int()),
    merges: z.array(z.union([z.string(), z.tuple([z.string(), z.string()])])),
  }),
});

function pairsOf({ added_tokens, model }: z.output<typeof clipSchema>): BytePairs {
  const tokens = new Map(Object.entries(model.vocab));
  const merges = model.merges.map((merge) => (typeof merge === 'string' ? merge : merge.join(' ')));
  return {
    tokens,
    ranks: ranksOf(merges),
    unknown: tokens.get(model.unk_token ?? END) ?? requireToken(tokens, END),
    specials: added_tokens.map(({ id, content, normalized }) => ({
      id,
      text: content,
      isNormalized: normalized,
    })),
  };
}

/** As OpenAI published them; transformers reads them so. */
function readVocabularyFiles(directory: string): BytePairs {
  const [vocabulary, merges] = ['vocab.json', 'merges.txt'].map((name) => join(directory, name));
  if (!existsSync(vocabulary!) || !existsSync(merges!))
    throw new AppError(
      'unsupported_model',
      `${directory} has no tokenizer.json, and no vocab.json with merges.txt; take them from the repository that the model was made from.`,
    );
  const tokens = new Map(Object.entries(readJson(vocabulary!) as Record<string, number>));
  const lines = readFileSync(merges!, 'utf8').split('\n');
  const special = (text: string, isNormalized: boolean): SpecialToken => ({
    text,
    id: requireToken(tokens, text),
    isNormalized,
  });
  return {
    tokens,
    ranks: ranksOf(lines.filter((line) => line.includes(' ') && !line.startsWith('#version'))),
    unknown: requireToken(tokens, END),
    specials: [special(START, true), special(END, false)],
  };
}

function ranksOf(merges: readonly string[]): ReadonlyMap<string, number> {
  return new Map(merges.map((merge, rank) => [merge, rank]));
}

function requireToken(tokens: ReadonlyMap<string, number>, text: string): number {
  const id = tokens.get(text);
  if (id !== undefined) return id;
  throw new AppError(
    'unsupported_model',
    `The model's vocabulary has no token ${text}, which frames CLIP's texts.`,
  );
}

function clipTokenizer(pairs: BytePairs, limits: Limits): TextTokenizer {
  const encode = createBytePairEncoder(pairs);
  const start = requireToken(pairs.tokens, START);
  const end = requireToken(pairs.tokens, END);
  return {
    encode(text) {
      requireReadable(text, limits);
      const ids = [start, ...encode(text), end];
      requireRoom(ids.length, limits);
      // Where a text says the last token itself, transformers takes the first of them.
      return { ids, end: ids.indexOf(end), length: ids.length };
    },
  };
}

/** SigLIP's SentencePiece, and whatever else the library reads. */
function otherTokenizer(directory: string, json: unknown, limits: Limits): TextTokenizer {
  const configPath = join(directory, 'tokenizer_config.json');
  const config = existsSync(configPath) ? (readJson(configPath) as Record<string, unknown>) : {};
  const library = openLibrary(directory, json as object, config);
  const padding = library.token_to_id(tokenText(config['pad_token']) ?? '</s>');
  if (padding === undefined)
    throw new AppError(
      'unsupported_model',
      `${directory}: the tokenizer has no token to fill texts up with.`,
    );
  return {
    encode(text) {
      requireReadable(text, limits);
      const { ids } = library.encode(text);
      requireRoom(ids.length, limits);
      const missing = limits.isPadded ? limits.contextLength - ids.length : 0;
      const filled = [...ids, ...new Array<number>(missing).fill(padding)];
      return { ids: filled, end: filled.length - 1, length: ids.length };
    },
  };
}

function openLibrary(directory: string, json: object, config: object): Tokenizer {
  try {
    return new Tokenizer(json, config);
  } catch (cause) {
    throw new AppError('unsupported_model', `${directory}: its tokenizer.json cannot be run.`, { cause });
  }
}

function tokenText(token: unknown): string | undefined {
  if (typeof token === 'string') return token;
  return (token as { content?: string } | null | undefined)?.content;
}

function requireReadable(text: string, { contextLength }: Limits): void {
  const most = contextLength * MAX_CHARACTERS_PER_TOKEN;
  if (text.length > most)
    throw new AppError(
      'context_exceeded',
      `A text has ${text.length} characters, far more than the ${contextLength} tokens that the model reads. Shorten it.`,
    );
}

function requireRoom(count: number, { contextLength }: Limits): void {
  if (count <= contextLength) return;
  throw new AppError(
    'context_exceeded',
    `A text has ${count} tokens with those that frame it; the model reads at most ${contextLength}. Nothing is cut: shorten it.`,
  );
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw new AppError(
      'unsupported_model',
      `${path} cannot be read as JSON. Remove the model and pull it again.`,
      {
        cause,
      },
    );
  }
}
