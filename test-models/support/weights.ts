/** Weights and recordings of the model tests, downloaded at the first run. */
import type { App } from '../../src/app.ts';
import { toAppError } from '../../src/base/errors.ts';
import { type Recording, readLibrivox } from '../../src/cli/librivox.ts';
import { openApp } from './home.ts';

/** Installs and converts the models and the recordings; a reason to skip when they cannot be had here, else false. */
export function missingWeights(...models: readonly string[]): Promise<string | false> {
  return reasonToSkip(async ({ speech, store }) => {
    for (const model of models) await speech.prepare(model);
    await store.dataset('librivox');
  });
}

/** What `install` cannot have because nothing can be downloaded here, in words; false when it has it. */
export async function reasonToSkip(install: (app: App) => Promise<unknown>): Promise<string | false> {
  const app = openApp();
  try {
    await install(app);
    return false;
  } catch (thrown) {
    const { code, message } = toAppError(thrown);
    if (code !== 'download_failed' && code !== 'offline') throw thrown;
    return `weights are not installed and cannot be downloaded: ${message.split('\n')[0]}`;
  } finally {
    await app.close({ timeoutMs: 0 });
  }
}

/** The recordings of the demo. */
export async function librivox(): Promise<readonly Recording[]> {
  const app = openApp();
  const directory = await app.store.dataset('librivox');
  await app.close({ timeoutMs: 0 });
  return readLibrivox(directory);
}
