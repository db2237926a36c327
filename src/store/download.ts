/** One file over HTTP onto disk: resumed where it was cut, hashed while it streams, under its name only when it is whole. */
import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { AppError } from '../base/errors.ts';
import { hidePassword } from '../base/url.ts';
import { hashFile, writeAll } from './disk.ts';
import type { HttpAnswer, Network } from './network.ts';
import { checkStatus, TransientError, withRetries } from './retry.ts';

/** What a file must turn out to be; every stated value is verified. */
export interface Expected {
  readonly sizeBytes?: number | undefined;
  readonly sha256?: string | undefined;
  /** Git's object id of a file that is not in large file storage. */
  readonly gitSha1?: string | undefined;
}

export interface RemoteFile {
  readonly url: string;
  /** Under this name it lies among the downloads; also shown in progress. */
  readonly name: string;
  readonly expected: Expected;
  /** What the answer itself states, such as the hub's linked hash. Throws if it says too little to trust the file. */
  readonly expectedBy?: (answer: HttpAnswer) => Expected;
}

export interface DownloadContext {
  readonly network: Network;
  readonly retryDelayMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Told how many bytes of this file are on disk, whenever that changes. */
  readonly onBytes?: (doneBytes: number) => void;
}

export interface Downloaded {
  readonly sizeBytes: number;
  readonly sha256: string;
}

/**
 * Downloads to `path`; `path.part` is what there is until then, and stays when the line is cut or the signal fires.
 * Throws `download_failed`, `checksum_mismatch` (nothing stays), `offline`, `cancelled`, or the disk's own error.
 */
export async function download(
  file: RemoteFile,
  path: string,
  context: DownloadContext,
): Promise<Downloaded> {
  const whole = await alreadyWhole(file, path, context);
  if (whole) return whole;
  const part: Part = { path: `${path}.part`, doneBytes: await sizeOf(`${path}.part`) };
  let bestBytes = part.doneBytes;
  const downloaded = await withRetries(() => attempt(file, part, context), {
    signal: context.signal,
    delayMs: context.retryDelayMs,
    what: hidePassword(file.url),
    hasAdvanced: () => {
      const hasAdvanced = part.doneBytes > bestBytes;
      bestBytes = Math.max(bestBytes, part.doneBytes);
      return hasAdvanced;
    },
  });
  await rename(part.path, path);
  return downloaded;
}

/** Bytes of `path` that need not be downloaded again. */
export async function bytesOnDisk(path: string): Promise<number> {
  return (await sizeOf(path)) || (await sizeOf(`${path}.part`));
}

/** `doneBytes` is what the last try brought the file to. */
interface Part {
  readonly path: string;
  doneBytes: number;
}

async function alreadyWhole(file: RemoteFile, path: string, context: DownloadContext) {
  const sizeBytes = await sizeOf(path);
  if (sizeBytes === 0) return undefined;
  if (file.expected.sha256) {
    const found = await hashFile(path, context.signal);
    if (found.sha256 === file.expected.sha256) {
      context.onBytes?.(found.sizeBytes);
      return found;
    }
  }
  await rm(path);
  return undefined;
}

async function attempt(file: RemoteFile, part: Part, context: DownloadContext): Promise<Downloaded> {
  const handle = await open(part.path, 'a');
  try {
    const hash = createHash('sha256');
    // Only a file that is known by its hash can be put together from two answers.
    if (!file.expected.sha256) await handle.truncate(0);
    const resumedAt = await hashExisting(hash, part.path, context.signal);
    part.doneBytes = resumedAt;
    const writer: Writer = { handle, hash, part };
    const isWhole = resumedAt > 0 && resumedAt === file.expected.sizeBytes;
    const expected = isWhole ? file.expected : await receive(file, writer, context);
    await handle.sync();
    const downloaded = { sizeBytes: part.doneBytes, sha256: writer.hash.digest('hex') };
    const fault = await faultOf(downloaded, expected, part.path);
    if (!fault) return downloaded;
    await rm(part.path, { force: true });
    if (resumedAt > 0) throw new TransientError(`what lay on disk was not the beginning of it (${fault})`);
    throw new AppError(
      'checksum_mismatch',
      `${hidePassword(file.url)}: ${fault}. Nothing was kept; try again or use another source.`,
    );
  } finally {
    await handle.close();
  }
}

interface Writer {
  readonly handle: FileHandle;
  readonly part: Part;
  /** Over the bytes on disk; made anew when the file starts over. */
  hash: Hash;
}

/** Appends what the server sends to the part; what it must be is known better once the server has answered. */
async function receive(file: RemoteFile, writer: Writer, context: DownloadContext): Promise<Expected> {
  const { handle, part } = writer;
  const range = part.doneBytes > 0 ? { range: `bytes=${part.doneBytes}-` } : {};
  const answer = await context.network.get(file.url, { headers: range, signal: context.signal });
  checkStatus(answer, hidePassword(file.url));
  const isContinued =
    answer.status === 206 && answer.headers['content-range']?.startsWith(`bytes ${part.doneBytes}-`);
  if (!isContinued) {
    await handle.truncate(0);
    writer.hash = createHash('sha256');
    part.doneBytes = 0;
  }
  if (!isContinued && answer.status !== 200) {
    answer.body.on('error', () => {}).destroy();
    throw new TransientError('the server cannot continue where the line was cut');
  }
  const expected = { ...file.expected, ...file.expectedBy?.(answer) };
  const sentBytes = Number(answer.headers['content-length'] ?? Number.NaN);
  const totalBytes = expected.sizeBytes ?? part.doneBytes + sentBytes;
  context.onBytes?.(part.doneBytes);
  for await (const chunk of answer.body) {
    await writeAll(handle, chunk as Buffer);
    writer.hash.update(chunk as Buffer);
    part.doneBytes += (chunk as Buffer).length;
    if (part.doneBytes > totalBytes) break;
    context.onBytes?.(part.doneBytes);
  }
  if (part.doneBytes < totalBytes)
    throw new TransientError(`the line was cut at byte ${part.doneBytes} of ${totalBytes}`);
  return expected;
}

/** What is wrong with the file on disk, in words; undefined when it is as expected. */
async function faultOf(found: Downloaded, expected: Expected, path: string): Promise<string | undefined> {
  if (expected.sizeBytes !== undefined && found.sizeBytes !== expected.sizeBytes) {
    return `expected ${expected.sizeBytes} bytes, got ${found.sizeBytes}`;
  }
  if (expected.sha256) {
    return found.sha256 === expected.sha256
      ? undefined
      : `expected SHA-256 ${expected.sha256}, got ${found.sha256}`;
  }
  if (!expected.gitSha1) return undefined;
  const content = await readFile(path);
  const gitSha1 = createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex');
  return gitSha1 === expected.gitSha1 ? undefined : `expected Git object ${expected.gitSha1}, got ${gitSha1}`;
}

async function hashExisting(hash: Hash, path: string, signal: AbortSignal | undefined): Promise<number> {
  let bytes = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: 1024 ** 2, signal })) {
    hash.update(chunk as Buffer);
    bytes += (chunk as Buffer).length;
  }
  return bytes;
}

async function sizeOf(path: string): Promise<number> {
  return (await stat(path).catch(() => undefined))?.size ?? 0;
}
