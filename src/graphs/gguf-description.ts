/** What a GGUF file says of its model, from the keys that llama.cpp's converter writes (gguf-py/gguf/constants.py). */
import type { GgufMetadata, GgufValue } from './gguf-metadata.ts';

/** Each undefined where the file does not tell. */
export interface GgufDescription {
  /** As its makers call it. */
  readonly name: string | undefined;
  /** Such as `llama`. */
  readonly architecture: string | undefined;
  /** Of most of the weights, such as `Q4_K_M`. */
  readonly quantization: string | undefined;
  /** Tokens of the longest sequence that it was trained on. */
  readonly contextTokens: number | undefined;
  /** Jinja. */
  readonly chatTemplate: string | undefined;
  /** How its makers draw tokens, by the rest of the keys below `general.sampling.`: `temp`, `top_k`; not checked. */
  readonly sampling: ReadonlyMap<string, GgufValue>;
}

export const SAMPLING_PREFIX = 'general.sampling.';

/** By `general.file_type`: the enum `llama_ftype` of llama.cpp's include/llama.h, those among it that are no longer written. */
const FILE_TYPES: readonly string[] = [
  ...['F32', 'F16', 'Q4_0', 'Q4_1', 'Q4_1_SOME_F16', 'Q4_2', 'Q4_3', 'Q8_0', 'Q5_0', 'Q5_1'],
  ...['Q2_K', 'Q3_K_S', 'Q3_K_M', 'Q3_K_L', 'Q4_K_S', 'Q4_K_M', 'Q5_K_S', 'Q5_K_M', 'Q6_K', 'IQ2_XXS'],
  ...['IQ2_XS', 'Q2_K_S', 'IQ3_XS', 'IQ3_XXS', 'IQ1_S', 'IQ4_NL', 'IQ3_S', 'IQ3_M', 'IQ2_S', 'IQ2_M'],
  ...['IQ4_XS', 'IQ1_M', 'BF16', 'Q4_0_4_4', 'Q4_0_4_8', 'Q4_0_8_8', 'TQ1_0', 'TQ2_0', 'MXFP4_MOE', 'NVFP4'],
  ...['Q1_0', 'Q2_0'],
];

export function describeGguf(metadata: GgufMetadata): GgufDescription {
  const architecture = text(metadata, 'general.architecture');
  const sampling = [...metadata].filter(([key]) => key.startsWith(SAMPLING_PREFIX));
  return {
    name: text(metadata, 'general.name'),
    architecture,
    quantization: FILE_TYPES[wholeNumber(metadata, 'general.file_type') ?? -1],
    contextTokens: wholeNumber(metadata, `${architecture ?? ''}.context_length`) || undefined,
    chatTemplate: text(metadata, 'tokenizer.chat_template'),
    sampling: new Map(sampling.map(([key, value]) => [key.slice(SAMPLING_PREFIX.length), value])),
  };
}

/** An empty one tells nothing. */
function text(metadata: GgufMetadata, key: string): string | undefined {
  const value = metadata.get(key);
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function wholeNumber(metadata: GgufMetadata, key: string): number | undefined {
  const value = metadata.get(key);
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 ? value : undefined;
}
