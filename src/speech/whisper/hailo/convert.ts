/** What must be known of a compiled Whisper model beside its networks: its vocabulary and its tokens. Nothing else is made of it. */
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openNpy } from '../../../graphs/npy.ts';
import { type PackedTokens, packTokens, readTokens, unpackTokens, type WhisperTokens } from '../tokens.ts';
import { packVocabulary, readVocabulary, unpackVocabulary, type Vocabulary } from '../vocabulary.ts';
import { filesIn } from './files.ts';

/** Part of the key under which conversions are cached: raise it with every change to what is written. */
export const CONVERTER_VERSION = 1;

const VOCABULARY_FILE = 'vocabulary.bin';
const TOKENS_FILE = 'tokens.json';

export interface ConvertedHailoWhisper {
  readonly tokens: WhisperTokens;
  readonly vocabulary: Vocabulary;
}

export function readConverted(directory: string): ConvertedHailoWhisper {
  const packed = JSON.parse(readFileSync(join(directory, TOKENS_FILE), 'utf8')) as PackedTokens;
  return {
    tokens: unpackTokens(packed),
    vocabulary: unpackVocabulary(readFileSync(join(directory, VOCABULARY_FILE))),
  };
}

/** Throws `unsupported_model`. */
export async function convertHailoWhisper(source: string, target: string): Promise<void> {
  const table = openNpy(filesIn(source).embedding);
  try {
    const tokens = readTokens(source, table.dims[0]!);
    await writeFile(join(target, TOKENS_FILE), JSON.stringify(packTokens(tokens)));
  } finally {
    table.close();
  }
  await writeFile(
    join(target, VOCABULARY_FILE),
    packVocabulary(readVocabulary(join(source, 'tokenizer.json'))),
  );
}
