/** The smallest language model of the catalogue, downloaded at the first run. */
import { reasonToSkip } from './weights.ts';

export const LANGUAGE_MODEL = 'smollm2-135m-instruct';

/** A reason to skip when it cannot be had here, else false. */
export function missingLanguageModel(): Promise<string | false> {
  return reasonToSkip(({ store }) => store.pull(LANGUAGE_MODEL));
}

export const LANGUAGE_ENVIRONMENT = {
  PERCEPT_MODELS_LANGUAGE: LANGUAGE_MODEL,
  PERCEPT_MODELS_PRELOAD: 'false',
  PERCEPT_LANGUAGE_CONTEXT_TOKENS: '2048',
};
