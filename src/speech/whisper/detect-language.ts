/** Which language is spoken: the decoder's distribution over the language tokens after `<|startoftranscript|>`. */
import type { EncodedWindows, WhisperBackend } from '../../backends/contract.ts';
import { tokenProbabilities } from './decode-batch.ts';
import type { WhisperTokens } from './tokens.ts';

export interface DetectedLanguage {
  readonly code: string;
  /** Among all languages, 0 to 1: the mean over the windows listened to. */
  readonly probability: number;
}

/** Listens to every window of `audio`, which stays open. English-only models know one language. */
export async function detectLanguage(
  audio: EncodedWindows,
  model: { readonly backend: WhisperBackend; readonly tokens: WhisperTokens },
): Promise<DetectedLanguage> {
  const { backend, tokens } = model;
  if (tokens.languages.size === 0) return { code: 'en', probability: 1 };
  const output = await backend.decode({
    audio,
    state: undefined,
    tokens: Array.from({ length: audio.count }, () => [tokens.startOfTranscript]),
    select: [0],
    candidates: 1,
    withLogits: true,
  });
  const codes = [...tokens.languages.keys()];
  const ids = [...tokens.languages.values()];
  const means = new Float64Array(codes.length);
  for (let window = 0; window < audio.count; window += 1) {
    const probabilities = tokenProbabilities(output, window, ids);
    const sum = probabilities.reduce((total, probability) => total + probability, 0);
    probabilities.forEach((probability, index) => {
      means[index]! += probability / sum / audio.count;
    });
  }
  output.state.release();
  const best = means.indexOf(Math.max(...means));
  return { code: codes[best]!, probability: means[best]! };
}
