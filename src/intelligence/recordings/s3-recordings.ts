/** Recordings in a bucket of S3, or of a server that speaks its API: `<prefix><task id>/raw.<extension>`, and `task.json`, written last. */
import { randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { paginateListObjectsV2, S3 } from '@aws-sdk/client-s3';
import { abortError } from '../../base/abort.ts';
import { AppError } from '../../base/errors.ts';
import { openIn, recordingGone, sweepUploads } from './directory-recordings.ts';
import {
  ENDED,
  isTaskId,
  MANIFEST,
  manifestText,
  parseManifest,
  type Recordings,
  type StoredRecording,
} from './recordings.ts';

export interface BucketOptions {
  /** Undefined: AWS itself. */
  readonly endpoint: string | undefined;
  readonly region: string;
  readonly bucket: string;
  /** What names begin with. */
  readonly prefix: string;
  /** Undefined: as AWS's own tools find them. */
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string } | undefined;
  /** On this machine, for uploads on their way and for attempts. */
  readonly directory: string;
}

/** A store that does not answer is given up, and the attempt is made again later. */
const CONNECT_TIMEOUT_MS = 5000;
/** Of a request without a byte. */
const IDLE_TIMEOUT_MS = 60_000;

export function openS3Recordings(options: BucketOptions): Recordings {
  const { bucket: Bucket, prefix, directory } = options;
  const uploads = join(directory, 'incoming');
  const incoming = join(uploads, randomUUID());
  const s3 = new S3({
    region: options.region,
    ...(options.endpoint === undefined ? {} : { endpoint: options.endpoint, forcePathStyle: true }),
    ...(options.credentials === undefined ? {} : { credentials: options.credentials }),
    requestHandler: { connectionTimeout: CONNECT_TIMEOUT_MS, socketTimeout: IDLE_TIMEOUT_MS },
    // Servers that are not AWS often know no other checksums than those that S3 began with.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  });
  const keyOf = (id: string, name: string) => `${prefix}${id}/${name}`;

  async function* keys(of: string): AsyncIterable<{ readonly key: string; readonly at: Date }> {
    for await (const page of paginateListObjectsV2({ client: s3 }, { Bucket, Prefix: of }))
      for (const { Key, LastModified } of page.Contents ?? [])
        yield { key: Key!, at: LastModified ?? new Date() };
  }

  async function textOf(key: string): Promise<string> {
    const { Body } = await s3.getObject({ Bucket, Key: key });
    return Body!.transformToString();
  }

  async function put(key: string, text: string): Promise<void> {
    await s3.putObject({ Bucket, Key: key, Body: text, ContentLength: Buffer.byteLength(text) });
  }

  async function remove(id: string): Promise<void> {
    // The manifest goes first: what is left of a removal that was cut is no recording any more.
    await s3.deleteObject({ Bucket, Key: keyOf(id, MANIFEST) });
    for await (const { key } of keys(keyOf(id, ''))) await s3.deleteObject({ Bucket, Key: key });
  }

  return guarded({
    async incoming() {
      await mkdir(incoming, { recursive: true, mode: 0o700 });
      return incoming;
    },
    async keep({ path, extension, task }) {
      const { size } = await stat(path);
      const Key = keyOf(task.id, `raw${extension}`);
      try {
        await s3.putObject({ Bucket, Key, Body: createReadStream(path), ContentLength: size });
        await put(keyOf(task.id, MANIFEST), manifestText(task));
      } catch (error) {
        // What cannot be removed now has no manifest, and is swept later.
        await remove(task.id).catch(() => undefined);
        throw error;
      }
      await rm(path, { force: true });
    },
    async open(id, signal) {
      const raw = await first(keys(keyOf(id, 'raw')));
      if (raw === undefined) throw recordingGone(id);
      const parent = join(directory, id);
      await mkdir(parent, { recursive: true, mode: 0o700 });
      const work = await openIn(parent, join(parent, 'nothing'));
      const path = join(work.workDirectory, raw.key.slice(raw.key.lastIndexOf('/') + 1));
      try {
        const { Body } = await s3.getObject({ Bucket, Key: raw.key }, { abortSignal: signal });
        await pipeline(Body as Readable, createWriteStream(path, { mode: 0o600 }), { signal });
        return { ...work, path };
      } catch (error) {
        await work.close();
        throw signal.aborted ? abortError(signal) : error;
      }
    },
    markEnded: (id) => put(keyOf(id, ENDED), ''),
    async unmarkEnded(id) {
      await s3.deleteObject({ Bucket, Key: keyOf(id, ENDED) });
    },
    async *list() {
      const byId = new Map<string, Map<string, Date>>();
      for await (const { key, at } of keys(prefix)) {
        const [id = '', name = ''] = key.slice(prefix.length).split('/');
        if (isTaskId(id)) byId.set(id, (byId.get(id) ?? new Map()).set(name, at));
      }
      for (const [id, names] of byId) {
        yield {
          id,
          keptAt: names.get(MANIFEST) ?? [...names.values()][0]!,
          endedAt: names.get(ENDED),
          task: async () =>
            names.has(MANIFEST) ? parseManifest(await textOf(keyOf(id, MANIFEST)), id) : undefined,
        } satisfies StoredRecording;
      }
    },
    async removeWork(id) {
      await rm(join(directory, id), { recursive: true, force: true });
    },
    remove,
    sweep: () => sweepUploads(uploads, incoming),
    async close() {
      s3.destroy();
      await rm(incoming, { recursive: true, force: true });
    },
  });
}

async function first<T>(items: AsyncIterable<T>): Promise<T | undefined> {
  for await (const item of items) return item;
  return undefined;
}

/** What the bucket's server may answer, as an error of ours; its words have no secret. */
function guarded(recordings: Recordings): Recordings {
  const guard = <A extends unknown[], R>(work: (...given: A) => Promise<R>) => {
    return (...given: A) => work(...given).catch((error: unknown) => Promise.reject(toBucketError(error)));
  };
  const { incoming, keep, open, markEnded, unmarkEnded, removeWork, remove, sweep, close } = recordings;
  return {
    incoming,
    keep: guard(keep),
    open: guard(open),
    markEnded: guard(markEnded),
    unmarkEnded: guard(unmarkEnded),
    async *list() {
      try {
        yield* recordings.list();
      } catch (error) {
        throw toBucketError(error);
      }
    },
    removeWork,
    remove: guard(remove),
    sweep,
    close,
  };
}

function toBucketError(error: unknown): unknown {
  if (error instanceof AppError) return error;
  const { name, message, code } = error as { name?: string; message?: string; code?: string };
  if (code === 'ENOSPC') return error;
  return new AppError(
    'queue_unavailable',
    `The bucket of recordings does not answer as it should (${name ?? code}: ${message}). Check tasks.s3.`,
    { cause: error, retryAfterSeconds: 10 },
  );
}
