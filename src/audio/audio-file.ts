import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { AppError } from '../base/errors.ts';

/** An opened regular file. `path` is what a decoding process opens again. */
export interface AudioFile {
  readonly handle: FileHandle;
  readonly path: string;
  readonly sizeBytes: number;
}

/**
 * Opens `path` for reading; the caller closes the handle. Only regular files: a FIFO would wait for ever and a device
 * has no end. Messages name no path, as the path of an upload is the server's own business.
 */
export async function openAudioFile(path: string): Promise<AudioFile> {
  // O_NONBLOCK: opening a FIFO for reading would wait for its writer.
  const handle = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)).catch((cause) => {
    throw openError(path, cause);
  });
  try {
    const stats = await handle.stat();
    if (!stats.isFile()) {
      const kind = stats.isDirectory() ? 'a directory' : 'a device or a pipe';
      throw unsupportedAudio(`Expected an audio file, got ${kind}. Give the path of a regular file.`);
    }
    if (stats.size === 0) throw unsupportedAudio('The file is empty. Send an audio file with content.');
    return { handle, path, sizeBytes: stats.size };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** Up to `length` bytes from `position`; fewer at the end of the file. */
export async function readAt(handle: FileHandle, position: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await handle.read(bytes, filled, length - filled, position + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return bytes.subarray(0, filled);
}

export function unsupportedAudio(message: string, cause?: unknown): AppError {
  return new AppError('unsupported_audio', message, { param: 'file', cause });
}

function openError(path: string, cause: unknown): AppError {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown error';
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    return new AppError('not_found', `There is no file at ${path}.`, { cause });
  }
  return new AppError('not_found', `The file ${path} cannot be opened (${code}). Check its permissions.`, {
    cause,
  });
}
