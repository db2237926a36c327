/** Which language is spoken: the decoder's distribution over the language tokens after `<|startoftranscript|>`. */
import type { EncodedWindows, WhisperBackend } from '../../backends/contract.ts';
import { tokenProbabilities } from './decode-batch.ts';
import type { WhisperTokens } from './tokens.ts';

export interface DetectedLanguage {
  readonly code: string;
  /** Among all languages, 0 to 1. */
  readonly probability: number;
}

/** The language of each window of `audio`, which stays open. English-only models know one language. */
export async function detectLanguages(
  audio: EncodedWindows,
  model: { readonly backend: WhisperBackend; readonly tokens: WhisperTokens },
): Promise<DetectedLanguage[]> {
  const { backend, tokens } = model;
  const windows = Array.from({ length: audio.count }, (_, window) => window);
  if (tokens.languages.size === 0) return windows.map(() => ({ code: 'en', probability: 1 }));
  const output = await backend.decode({
    audio,
    state: undefined,
    tokens: windows.map(() => [tokens.startOfTranscript]),
    beams: windows.map(() => 1),
    select: [0],
    candidates: 1,
    withLogits: true,
  });
  output.state.release();
  const codes = [...tokens.languages.keys()];
  const ids = [...tokens.languages.values()];
  return windows.map((window) => {
    const probabilities = tokenProbabilities(output, window, ids);
    const sum = probabilities.reduce((total, probability) => total + probability, 0);
    const highest = Math.max(...probabilities);
    return { code: codes[probabilities.indexOf(highest)]!, probability: highest / sum };
  });
}
