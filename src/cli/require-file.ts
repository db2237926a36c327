import { stat } from 'node:fs/promises';
import { AppError } from '../base/errors.ts';

/** Throws `not_found` or `unsupported_audio`; the message does not name the file. */
export async function requireFile(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) throw new AppError('not_found', 'There is no such file.');
  if (!found.isFile()) throw new AppError('unsupported_audio', 'This is not a regular file.');
}
