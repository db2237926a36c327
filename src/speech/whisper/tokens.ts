/** Ids of the tokens that steer Whisper, read from the model's own files; nothing is inferred from its name. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '../../base/errors.ts';
import { LANGUAGES } from '../languages.ts';

export interface WhisperTokens {
  readonly endOfText: number;
  readonly startOfTranscript: number;
  readonly startOfPrevious: number;
  readonly noSpeech: number;
  /** Undefined in English-only models. */
  readonly transcribe: number | undefined;
  readonly translate: number | undefined;
  readonly noTimestamps: number;
  readonly firstTimestamp: number;
  /** Number of timestamp tokens, 20 ms apart: 1501. */
  readonly timestamps: number;
  /** Language code to id; empty in English-only models. */
  readonly languages: ReadonlyMap<string, number>;
  /** Never said. (The list for a first token is not needed: the first token is always a timestamp.) */
  readonly suppressed: readonly number[];
}

/** As JSON holds them. */
export type PackedTokens = Omit<WhisperTokens, 'languages'> & {
  readonly languages: readonly (readonly [code: string, id: number])[];
};

export function packTokens(tokens: WhisperTokens): PackedTokens {
  return { ...tokens, languages: [...tokens.languages] };
}

export function unpackTokens(packed: PackedTokens): WhisperTokens {
  return { ...packed, languages: new Map(packed.languages) };
}

interface TokenizerFile {
  readonly added_tokens: readonly { readonly id: number; readonly content: string }[];
}

/** Reads tokenizer.json and config.json (or generation_config.json). Throws `unsupported_model`. */
export function readTokens(directory: string, vocabulary: number): WhisperTokens {
  const tokenizer = readJson(directory, 'tokenizer.json') as unknown as TokenizerFile; // checked token by token below
  const added = new Map(tokenizer.added_tokens.map(({ id, content }) => [content, id]));
  const need = (content: string): number => {
    const id = added.get(content);
    if (id === undefined)
      throw new AppError(
        'unsupported_model',
        `${directory}/tokenizer.json has no token ${content}: it is not Whisper's.`,
      );
    return id;
  };
  const noTimestamps = need('<|notimestamps|>');
  const languages = new Map<string, number>();
  for (const code of Object.keys(LANGUAGES)) {
    const id = added.get(`<|${code}|>`);
    if (id !== undefined) languages.set(code, id);
  }
  // English-only vocabularies keep the language tokens but are one token shorter: their end-of-text is 50256.
  const isMultilingual = need('<|endoftext|>') !== 50256;
  return {
    endOfText: need('<|endoftext|>'),
    startOfTranscript: need('<|startoftranscript|>'),
    startOfPrevious: need('<|startofprev|>'),
    noSpeech: added.get('<|nospeech|>') ?? added.get('<|nocaptions|>') ?? noTimestamps - 1,
    transcribe: isMultilingual ? need('<|transcribe|>') : undefined,
    translate: isMultilingual ? need('<|translate|>') : undefined,
    noTimestamps,
    firstTimestamp: noTimestamps + 1,
    timestamps: vocabulary - noTimestamps - 1,
    languages: isMultilingual ? languages : new Map(),
    suppressed: [...new Set([...suppressedIds(directory), noTimestamps])],
  };
}

/** CTranslate2 names the list suppress_ids; Hugging Face suppress_tokens, in generation_config.json or config.json. */
function suppressedIds(directory: string): number[] {
  for (const name of ['generation_config.json', 'config.json']) {
    if (!existsSync(join(directory, name))) continue;
    const config = readJson(directory, name);
    const ids = config['suppress_ids'] ?? config['suppress_tokens'];
    if (Array.isArray(ids)) return (ids as number[]).filter((id) => id >= 0);
  }
  throw new AppError(
    'unsupported_model',
    `${directory} has no list of suppressed tokens in config.json or generation_config.json. Pull or import the model again.`,
  );
}

function readJson(directory: string, name: string): Record<string, unknown> {
  const path = join(directory, name);
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
  } catch (cause) {
    throw new AppError(
      'unsupported_model',
      `${path} cannot be read as JSON. Remove the model and pull it again.`,
      { cause },
    );
  }
}
