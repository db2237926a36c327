/** Pictures on disk: those that are named, and those that a folder holds. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '../base/errors.ts';

const EXTENSIONS = /\.(jpe?g|png|webp|gif|avif|tiff?)$/i;

/** Throws `not_found` or `unsupported_image`; the message does not name the file. */
export async function readImageFile(path: string): Promise<Uint8Array> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) throw new AppError('not_found', 'There is no such file.');
  if (!found.isFile()) throw new AppError('unsupported_image', 'This is not a regular file.');
  return readFile(path);
}

/** Paths of the pictures in a folder and those below, by the endings of their names, in order. Links to folders are not followed. */
export async function findImageFiles(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true }).catch((cause: unknown) => {
    throw new AppError('not_found', `The folder ${folder} cannot be read.`, { cause });
  });
  return entries
    .filter((entry) => !entry.isDirectory() && EXTENSIONS.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}
