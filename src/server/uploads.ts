/**
 * Multipart requests: the file streams to a private temporary file while it is read, fields are kept as text. Limits act while
 * reading, so nothing larger than they allow is ever on disk or in memory.
 */
import { createWriteStream } from 'node:fs';
import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { MultipartFile, MultipartValue } from '@fastify/multipart';
import type { FastifyRequest } from 'fastify';
import { AppError } from '../base/errors.ts';
import { collectingGarbage } from './upload-garbage.ts';

export interface UploadLimits {
  readonly directory: string;
  readonly maxUploadBytes: number;
  /** The field that holds the file. */
  readonly fileField: string;
  readonly signal: AbortSignal;
  /** Throws for a file that is not wanted, before it is read. */
  readonly checkFile?: ((file: OfferedFile) => void) | undefined;
}

/** What is said of a file before it comes. */
export interface OfferedFile {
  readonly fileName: string;
  readonly mediaType: string | undefined;
}

export interface Upload {
  readonly path: string;
  readonly fileName: string;
  readonly sizeBytes: number;
  /** Values by field name, in the order they came; `name[]` stands under `name`. */
  readonly fields: ReadonlyMap<string, readonly string[]>;
  /** Removes the file; safe to call twice. */
  remove(): Promise<void>;
}

/** Longest text of a field; a prompt is the longest of all. */
export const MAX_FIELD_BYTES = 64 * 1024;
/** Longest file name that file systems take. */
const MAX_NAME_BYTES = 255;

/**
 * Reads a whole multipart request. Throws `unsupported_media_type`, `invalid_request`, `invalid_file_name`, `file_too_large` or
 * `disk_full`; then nothing is left on disk.
 */
export async function receiveUpload(request: FastifyRequest, limits: UploadLimits): Promise<Upload> {
  requireMultipart(request, limits);
  const path = join(limits.directory, `${request.id.replaceAll(/[^\w-]/g, '_')}.upload`);
  const remove = () => rm(path, { force: true });
  try {
    return { ...(await readParts(request, path, limits)), path, remove };
  } catch (error) {
    await remove();
    throw toUploadError(error, limits);
  }
}

/** A directory of another host, or another container, in which nothing was written for so long has no process any more. */
const STALE_MS = 24 * 3_600_000;

/** Takes a directory of this process below `root`, which other hosts may share, and removes what dead ones left behind. */
export async function openUploadDirectory(root: string): Promise<string> {
  await mkdir(root, { recursive: true, mode: 0o700 });
  for (const name of await readdir(root)) {
    const path = join(root, name);
    if (await isLeftBehind(path)) await rm(path, { recursive: true, force: true });
  }
  const own = uploadDirectoryOf(root, process.pid);
  await rm(own, { recursive: true, force: true });
  await mkdir(own, { mode: 0o700 });
  return own;
}

/** Of a process of this host. */
export function uploadDirectoryOf(root: string, pid: number): string {
  return join(root, `${pid}@${hostname()}`);
}

/** Process numbers mean something on this host alone: in containers that share a directory all may be 1. */
async function isLeftBehind(path: string): Promise<boolean> {
  const [, pid, host] = /^(\d+)@(.+)$/.exec(basename(path)) ?? [];
  if (pid === undefined || host === hostname()) return !isAlive(Number(pid));
  const stats = await stat(path).catch(() => undefined);
  return stats !== undefined && Date.now() - stats.mtimeMs > STALE_MS;
}

function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: someone else's process with that number.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function requireMultipart(request: FastifyRequest, limits: UploadLimits): void {
  if (!request.isMultipart()) {
    const got = request.headers['content-type'] ?? 'no content type';
    throw new AppError(
      'unsupported_media_type',
      `The body must be multipart/form-data with a "${limits.fileField}" field; got ${got}.`,
    );
  }
  const announced = Number(request.headers['content-length'] ?? 0);
  // Fields and boundaries need a little more than the file.
  if (announced > limits.maxUploadBytes + 1024 ** 2) throw tooLarge(limits);
}

async function readParts(
  request: FastifyRequest,
  path: string,
  limits: UploadLimits,
): Promise<Pick<Upload, 'fileName' | 'sizeBytes' | 'fields'>> {
  const fields = new Map<string, string[]>();
  let file: { fileName: string; sizeBytes: number } | undefined;
  for await (const part of request.parts({ limits: { fileSize: limits.maxUploadBytes } })) {
    if (part.type === 'file') {
      if (part.fieldname !== limits.fileField) {
        throw new AppError(
          'invalid_request',
          `Unexpected file in field "${part.fieldname}"; the file belongs in "${limits.fileField}".`,
          { param: part.fieldname },
        );
      }
      if (file !== undefined) {
        throw new AppError(
          'invalid_request',
          'The request holds more than one file. Send one request for each.',
          { param: part.fieldname },
        );
      }
      const fileName = checkFileName(part, limits.fileField);
      limits.checkFile?.({ fileName, mediaType: part.mimetype });
      file = { fileName, sizeBytes: await saveFile(part, path, limits) };
    } else {
      const name = part.fieldname.replace(/\[\]$/, '');
      fields.set(name, [...(fields.get(name) ?? []), fieldText(part)]);
    }
  }
  if (file === undefined) {
    throw new AppError('invalid_request', `The field "${limits.fileField}" with the file is missing.`, {
      param: limits.fileField,
    });
  }
  if (file.sizeBytes === 0) {
    throw new AppError('invalid_request', 'The file is empty (0 bytes).', { param: limits.fileField });
  }
  return { ...file, fields };
}

/** A field that says it is JSON comes parsed. */
function fieldText({ fieldname, value, valueTruncated }: MultipartValue): string {
  if (valueTruncated) {
    throw new AppError(
      'invalid_request',
      `The field "${fieldname}" is larger than ${MAX_FIELD_BYTES / 1024} KiB.`,
      { param: fieldname },
    );
  }
  return typeof value === 'string' ? value : JSON.stringify(value);
}

async function saveFile(part: MultipartFile, path: string, limits: UploadLimits): Promise<number> {
  const target = createWriteStream(path, { mode: 0o600 });
  // Without it, the answer would wait for the end of whatever the client goes on to send.
  const over = new AbortController();
  part.file.once('limit', () => over.abort());
  try {
    await pipeline(part.file, collectingGarbage, target, {
      signal: AbortSignal.any([limits.signal, over.signal]),
    });
  } catch (error) {
    throw over.signal.aborted ? tooLarge(limits) : error;
  }
  if (part.file.truncated) throw tooLarge(limits);
  return target.bytesWritten;
}

/** A name is only shown, never used as a path; but one that looks like a path is an attack or a mistake, and is told so. */
function checkFileName(part: MultipartFile, param: string): string {
  const name = part.filename;
  const bad = (why: string) =>
    new AppError('invalid_file_name', `The file name ${why}. Send a plain name such as speech.wav.`, {
      param,
    });
  if (name === undefined || name === '') throw bad('is missing');
  if (Buffer.byteLength(name) > MAX_NAME_BYTES) throw bad(`is longer than ${MAX_NAME_BYTES} bytes`);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for.
  if (/[/\\\u0000-\u001f\u007f]/.test(name)) throw bad('holds a path separator or a control character');
  if (name === '.' || name === '..') throw bad('is a directory');
  return name;
}

function tooLarge({ maxUploadBytes, fileField }: UploadLimits): AppError {
  const mebibytes = Math.floor(maxUploadBytes / 1024 ** 2);
  return new AppError(
    'file_too_large',
    `The file is larger than ${mebibytes} MiB, the limit of this server (server.max_upload_bytes). Compress it (Opus or MP3 keep speech well) or split it.`,
    { param: fileField },
  );
}

/** What the multipart parser and the disk may throw, in our terms. */
function toUploadError(error: unknown, limits: UploadLimits): unknown {
  if (error instanceof AppError) return error;
  const { code, message } = error as { code?: string; message?: string };
  switch (code) {
    case 'FST_REQ_FILE_TOO_LARGE':
      return tooLarge(limits);
    case 'FST_FIELDS_LIMIT':
    case 'FST_PARTS_LIMIT':
    case 'FST_FILES_LIMIT':
      return new AppError('invalid_request', 'The request has too many fields (server.max_fields).', {
        cause: error,
      });
    case 'FST_PROTO_VIOLATION':
      return new AppError('invalid_request', 'A field of the request has a name that is not allowed.', {
        cause: error,
      });
    case 'ENOSPC':
      return new AppError(
        'disk_full',
        'The disk for uploads is full. Free space in the data directory and try again.',
        { cause: error },
      );
    case 'ABORT_ERR':
      return limits.signal.reason instanceof AppError
        ? limits.signal.reason
        : new AppError('cancelled', 'The upload was cancelled.', { cause: error });
    default:
      if (/multipart|boundary|part header|unexpected end|premature close/i.test(`${code} ${message}`)) {
        return new AppError('invalid_request', 'The multipart body is malformed or was cut off.', {
          cause: error,
        });
      }
      return error;
  }
}
