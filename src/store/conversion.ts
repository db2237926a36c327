/** Files made from a model's weights once, and kept: `<cache>/<variant>/<key>/`. */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '../base/errors.ts';
import { storageError } from './disk.ts';
import { installDirectory, isTemporary, removeDirectory, sweepDirectory } from './install.ts';

export interface ConversionRequest {
  /** The model's base name, such as `whisper-base`. */
  readonly model: string;
  /** What is kept side by side, such as `int8` and `float32`. */
  readonly variant: string;
  /** Names the converter's version and the weights (`v3-<checkpointHash>`); another key of the same variant is stale. */
  readonly key: string;
  /** Writes the files into an empty directory. */
  readonly build: (directory: string) => Promise<void>;
  readonly signal?: AbortSignal | undefined;
}

/** The directory of what was built, now or earlier. Must run under the model's conversion lock. */
export async function convert(cache: string, request: ConversionRequest): Promise<string> {
  const parent = join(cache, part(request.variant));
  const target = join(parent, part(request.key));
  if (await stat(target).catch(() => undefined)) return target;
  await sweepDirectory(parent);
  try {
    await installDirectory(target, request.build);
  } catch (thrown) {
    throw await storageError(thrown, cache, 0);
  }
  for (const name of await readdir(parent)) {
    if (name !== request.key && !isTemporary(name)) await removeDirectory(join(parent, name));
  }
  return target;
}

/** Where it lies, if it was built. */
export async function findConversion(
  cache: string,
  request: Pick<ConversionRequest, 'variant' | 'key'>,
): Promise<string | undefined> {
  const target = join(cache, part(request.variant), part(request.key));
  return (await stat(target).catch(() => undefined)) ? target : undefined;
}

function part(name: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name)) return name;
  throw new AppError('internal', `${JSON.stringify(name)} cannot name a directory of the conversion cache.`);
}
