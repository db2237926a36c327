/** The smallest language model of the catalogue, downloaded at the first run. */
import { toAppError } from '../../src/base/errors.ts';
import { openApp } from './home.ts';

export const LANGUAGE_MODEL = 'smollm2-135m-instruct';

/** A reason to skip when it cannot be had here, else false. */
export async function missingLanguageModel(): Promise<string | false> {
  const app = openApp();
  try {
    await app.store.pull(LANGUAGE_MODEL);
    return false;
  } catch (thrown) {
    const { code, message } = toAppError(thrown);
    if (code !== 'download_failed' && code !== 'offline') throw thrown;
    return `weights are not installed and cannot be downloaded: ${message.split('\n')[0]}`;
  } finally {
    await app.close({ timeoutMs: 0 });
  }
}

export const LANGUAGE_ENVIRONMENT = {
  PERCEPT_MODELS_LANGUAGE: LANGUAGE_MODEL,
  PERCEPT_MODELS_PRELOAD: 'false',
  PERCEPT_LANGUAGE_CONTEXT_TOKENS: '2048',
};
