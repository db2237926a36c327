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
import { readTokens, type WhisperTokens } from './tokens.ts';
import { packVocabulary, readVocabulary, unpackVocabulary, type Vocabulary } from './vocabulary.ts';

/** Part of the key under which conversions are cached: raise it with every change to what is written. */
export const CONVERTER_VERSION = 4;

export const ENCODER_FILE = 'encoder.onnx';
export const DECODER_FILE = 'decoder.onnx';
const VOCABULARY_FILE = 'vocabulary.bin';
const DESCRIPTION_FILE = 'whisper.json';

interface Description {
  readonly sizes: WhisperSizes;
  readonly tokens: Omit<WhisperTokens, 'languages'> & {
    readonly languages: readonly (readonly [code: string, id: number])[];
  };
}

export interface ConvertedWhisper {
  readonly sizes: WhisperSizes;
  readonly tokens: WhisperTokens;
  readonly vocabulary: Vocabulary;
}

/** What is known of the model in a directory that `convertWhisper` has written. */
export function readConverted(directory: string): ConvertedWhisper {
  const text = readFileSync(join(directory, DESCRIPTION_FILE), 'utf8');
  const { sizes, tokens } = JSON.parse(text) as Description;
  return {
    sizes,
    tokens: { ...tokens, languages: new Map(tokens.languages) },
    vocabulary: unpackVocabulary(readFileSync(join(directory, VOCABULARY_FILE))),
  };
}

/** Writes what is made of the checkpoint in `source` into the directory `target`. Throws `unsupported_model`. */
export async function convertWhisper(source: string, target: string, compute: ComputeType): Promise<void> {
  const checkpoint = openWhisperCheckpoint(source);
  try {
    const { sizes } = checkpoint;
    const tokens = readTokens(source, sizes.vocabulary);
    const description: Description = { sizes, tokens: { ...tokens, languages: [...tokens.languages] } };
    await writeFile(join(target, DESCRIPTION_FILE), JSON.stringify(description));
    await writeFile(
      join(target, VOCABULARY_FILE),
      packVocabulary(readVocabulary(join(source, 'tokenizer.json'))),
    );

    const encoder = new GraphBuilder('whisper-encoder');
    buildEncoder(encoder, checkpoint, compute);
    await encoder.write(join(target, ENCODER_FILE));

    const decoder = new GraphBuilder('whisper-decoder');
    buildDecoder({ graph: decoder, checkpoint, compute }, tokens, readAlignmentHeads(source, sizes));
    await decoder.write(join(target, DECODER_FILE));
  } finally {
    checkpoint.close();
  }
}
