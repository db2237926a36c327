/** Texts to embeddings; those of texts that were asked for lately are remembered. */
import { throwIfAborted } from '../../base/abort.ts';
import { AppError } from '../../base/errors.ts';
import { createBatcher } from '../batcher.ts';
import type { Named } from '../service.ts';
import type { ClipEncoders } from './encoders.ts';
import type { EncodedText, TextTokenizer } from './tokenizer.ts';

export interface EmbeddedText {
  /** Of length 1. */
  readonly embedding: Float32Array;
  readonly tokens: number;
}

export interface EmbeddedTexts {
  readonly texts: readonly EmbeddedText[];
  /** How many different texts were remembered, and how many were not. */
  readonly hits: number;
  readonly misses: number;
}

export interface TextEmbedderParts {
  readonly tokenizer: TextTokenizer;
  readonly encoders: Pick<ClipEncoders, 'encodeTexts'>;
  readonly dimension: number;
  /** Most texts that are remembered; those go first that were not asked for longest. */
  readonly mostRemembered: number;
}

/** Longer batches hold up pictures, and are not faster. */
const BATCH_TEXTS = 32;

export type TextEmbedder = (texts: readonly Named<string>[], signal: AbortSignal) => Promise<EmbeddedTexts>;

/** The embedder throws `context_exceeded` for a text that is too long, naming its field and the count. */
export function createTextEmbedder(parts: TextEmbedderParts): TextEmbedder {
  const { tokenizer, encoders, dimension, mostRemembered } = parts;
  /** Least recently used first. */
  const remembered = new Map<string, EmbeddedText>();
  const batcher = createBatcher<EncodedText, Float32Array>({
    mostItems: BATCH_TEXTS,
    run: async (texts) => rowsOf(await encoders.encodeTexts(texts), dimension),
  });

  function recall(text: string): EmbeddedText | undefined {
    const found = remembered.get(text);
    if (found !== undefined) remember(text, found);
    return found;
  }

  function remember(text: string, embedded: EmbeddedText): void {
    remembered.delete(text);
    remembered.set(text, embedded);
    if (remembered.size <= mostRemembered) return;
    const [oldest] = remembered.keys();
    remembered.delete(oldest!);
  }

  async function embedNew(texts: readonly Named<string>[], signal: AbortSignal) {
    const encoded = texts.map((text) => ({ text: text.value, ...encodeNamed(tokenizer, text) }));
    // A batch is as long as its longest text.
    encoded.sort((a, b) => a.ids.length - b.ids.length);
    const embedded = await Promise.all(
      encoded.map(async (text) => ({
        text: text.text,
        embedding: await batcher.add(text, signal),
        tokens: text.length,
      })),
    );
    for (const { text, ...rest } of embedded) remember(text, rest);
    return new Map(embedded.map(({ text, ...rest }) => [text, rest]));
  }

  return async (texts, signal) => {
    throwIfAborted(signal);
    const unique = [...new Map(texts.map((text) => [text.value, text])).values()];
    const known = new Map(unique.map(({ value }) => [value, recall(value)]));
    const missing = unique.filter(({ value }) => known.get(value) === undefined);
    const made = await embedNew(missing, signal);
    return {
      texts: texts.map(({ value }) => known.get(value) ?? made.get(value)!),
      hits: unique.length - missing.length,
      misses: missing.length,
    };
  };
}

function encodeNamed(tokenizer: TextTokenizer, { name, value }: Named<string>): EncodedText {
  try {
    return tokenizer.encode(value);
  } catch (thrown) {
    throw withParam(thrown, name);
  }
}

/** The same error, with the field that is at fault. */
export function withParam(thrown: unknown, param: string): unknown {
  if (!(thrown instanceof AppError) || thrown.param !== undefined) return thrown;
  return new AppError(thrown.code, thrown.message, { param, cause: thrown.cause });
}

/** [rows × dimension] as rows of their own. */
export function rowsOf(values: Float32Array, dimension: number): Float32Array[] {
  return Array.from({ length: values.length / dimension }, (_, row) =>
    values.slice(row * dimension, (row + 1) * dimension),
  );
}
