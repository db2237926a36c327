/** Space, hashes and durable writes: what every part of the store asks of the disk. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '../base/errors.ts';

/** Kept free beside what is asked for: manifests, directories, and room for the rest of the machine. */
const SPARE_BYTES = 16 * 1024 ** 2;

/** Throws `disk_full` unless the file system of `directory` (made if needed) has room for so many more bytes. */
export async function requireSpace(directory: string, neededBytes: number): Promise<void> {
  await mkdir(directory, { recursive: true });
  const free = await freeBytes(directory);
  if (free < neededBytes + SPARE_BYTES)
    throw diskFull(directory, { neededBytes: neededBytes + SPARE_BYTES, freeBytes: free });
}

export async function freeBytes(directory: string): Promise<number> {
  const found = await statfs(directory);
  return found.bavail * found.bsize;
}

/** What a failed write means to the operator; anything that is not about the disk stays as it is. */
export async function storageError(
  thrown: unknown,
  directory: string,
  neededBytes: number,
): Promise<unknown> {
  const code = (thrown as NodeJS.ErrnoException | undefined)?.code;
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return diskFull(directory, { neededBytes, freeBytes: await freeBytes(directory).catch(() => 0) }, thrown);
  }
  if (code && ['EACCES', 'EROFS', 'EPERM', 'ENOTDIR'].includes(code)) {
    const message = `Percept cannot write below ${directory} (${code}): give this user the folder, or set PERCEPT_HOME to another.`;
    return new AppError('invalid_config', message, { param: 'home', cause: thrown });
  }
  return thrown;
}

/** Lower-case hexadecimal SHA-256 of a file, and its size. */
export async function hashFile(
  path: string,
  signal?: AbortSignal,
): Promise<{ sha256: string; sizeBytes: number }> {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: 1024 ** 2, signal })) {
    hash.update(chunk as Buffer);
    sizeBytes += (chunk as Buffer).length;
  }
  return { sha256: hash.digest('hex'), sizeBytes };
}

/** Forces every file of a directory, and the directory, onto the disk, so that a rename after it never shows half a file. */
export async function syncDirectory(directory: string): Promise<void> {
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) await syncDirectory(path);
    else if (entry.isFile()) await syncPath(path);
  }
  await syncPath(directory);
}

/** Writes all of `chunk`; a single write may take less than it is given. */
export async function writeAll(handle: FileHandle, chunk: Uint8Array): Promise<void> {
  let written = 0;
  while (written < chunk.length) written += (await handle.write(chunk, written)).bytesWritten;
}

export async function syncPath(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function diskFull(
  directory: string,
  bytes: { neededBytes: number; freeBytes: number },
  cause?: unknown,
): AppError {
  return new AppError(
    'disk_full',
    `Not enough space below ${directory}: ${inMegabytes(bytes.neededBytes)} needed, ${inMegabytes(bytes.freeBytes)} free. ` +
      'Free some, remove a model (`percept rm NAME`), or set PERCEPT_HOME to a larger disk.',
    { cause },
  );
}

function inMegabytes(bytes: number): string {
  return `${Math.ceil(bytes / 1e6)} MB`;
}
