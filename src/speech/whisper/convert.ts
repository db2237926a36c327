/**
 * Turns a Whisper checkpoint into what a model process loads: two graphs, the vocabulary, and what else must be known of the model.
 * Takes seconds and about twice the model in memory.
 */
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { GraphBuilder } from '../../graphs/graph-builder.ts';
import type { ComputeType } from '../../graphs/layers.ts';
import { readAlignmentHeads } from './alignment-heads.ts';
import { openWhisperCheckpoint, type WhisperSizes } from './checkpoint.ts';
import { buildDecoder } from './decoder-graph.ts';
import { buildEncoder } from './encoder-graph.ts';
import type { StoredEmbedding } from './token-embedding.ts';
import { type PackedTokens, packTokens, readTokens, unpackTokens, type WhisperTokens } from './tokens.ts';
import { packVocabulary, readVocabulary, unpackVocabulary, type Vocabulary } from './vocabulary.ts';

/** Part of the key under which conversions are cached: raise it with every change to what is written. */
export const CONVERTER_VERSION = 6;

export const ENCODER_FILE = 'encoder.onnx';
export const DECODER_FILE = 'decoder.onnx';
const VOCABULARY_FILE = 'vocabulary.bin';
const DESCRIPTION_FILE = 'whisper.json';

interface Description {
  readonly compute: ComputeType;
  readonly sizes: WhisperSizes;
  readonly tokens: PackedTokens;
  readonly embedding?: StoredEmbedding;
}

export interface ConvertedWhisper {
  readonly compute: ComputeType;
  readonly sizes: WhisperSizes;
  readonly tokens: WhisperTokens;
  readonly vocabulary: Vocabulary;
  /** Of an int8 model: in the weights of its decoder. */
  readonly embedding: StoredEmbedding | undefined;
}

/** What is known of the model in a directory that `convertWhisper` has written. */
export function readConverted(directory: string): ConvertedWhisper {
  const text = readFileSync(join(directory, DESCRIPTION_FILE), 'utf8');
  const { compute, sizes, tokens, embedding } = JSON.parse(text) as Description;
  return {
    compute,
    sizes,
    embedding,
    tokens: unpackTokens(tokens),
    vocabulary: unpackVocabulary(readFileSync(join(directory, VOCABULARY_FILE))),
  };
}

/** Writes what is made of the checkpoint in `source` into the directory `target`. Throws `unsupported_model`. */
export async function convertWhisper(source: string, target: string, compute: ComputeType): Promise<void> {
  const checkpoint = openWhisperCheckpoint(source);
  try {
    const { sizes } = checkpoint;
    const tokens = readTokens(source, sizes.vocabulary);
    const vocabulary = packVocabulary(readVocabulary(join(source, 'tokenizer.json')));
    await writeFile(join(target, VOCABULARY_FILE), vocabulary);

    const encoder = new GraphBuilder('whisper-encoder');
    buildEncoder(encoder, checkpoint, compute);
    await encoder.write(join(target, ENCODER_FILE));

    const decoder = new GraphBuilder('whisper-decoder');
    const heads = readAlignmentHeads(source, sizes);
    const table = buildDecoder({ graph: decoder, checkpoint, compute }, tokens, heads);
    const offsets = await decoder.write(join(target, DECODER_FILE));

    const description: Description = {
      compute,
      sizes,
      tokens: packTokens(tokens),
      ...(table && {
        embedding: { values: offsets.get(table.values)!, scales: offsets.get(table.scales)! },
      }),
    };
    await writeFile(join(target, DESCRIPTION_FILE), JSON.stringify(description));
  } finally {
    checkpoint.close();
  }
}
