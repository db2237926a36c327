/** Recordings in a directory: `<root>/<task id>/raw.<extension>`, `task.json`, and a directory for each attempt. */
import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { AppError } from '../../base/errors.ts';
import {
  ENDED,
  isTaskId,
  type KeptUpload,
  MANIFEST,
  manifestText,
  type OpenRecording,
  parseManifest,
  type Recordings,
  type StoredRecording,
} from './recordings.ts';

/** Uploads of all processes, on the file system of the recordings, so that moving one is a rename. */
const INCOMING = '.incoming';
const WORK_PREFIX = 'work-';
/** An upload that was not written to for so long has no process any more. Longer than any client may pause. */
const STALE_MS = 3 * 3_600_000;

/** Creates nothing until something is kept. */
export function openDirectoryRecordings(root: string): Recordings {
  const own = join(root, INCOMING, randomUUID());
  const folderOf = (id: string) => join(root, id);

  return {
    async incoming() {
      // Each time, as a sweep of another process may have taken an idle one away.
      await mkdir(own, { recursive: true, mode: 0o700 });
      return own;
    },
    async keep(upload) {
      await keepInOrder(upload, { root, staging: join(own, upload.task.id) }).catch((error) => {
        throw toKeepError(error);
      });
    },
    async open(id) {
      const folder = folderOf(id);
      const raw = (await readdir(folder).catch(() => [])).find((name) => name.startsWith('raw'));
      if (raw === undefined) throw recordingGone(id);
      return openIn(folder, join(folder, raw));
    },
    async markEnded(id) {
      // Of a folder that is gone there is nothing to note.
      await writeFile(join(folderOf(id), ENDED), '', { mode: 0o600, flag: 'wx' }).catch(ignoreDone);
    },
    async unmarkEnded(id) {
      await rm(join(folderOf(id), ENDED), { force: true });
    },
    async *list() {
      for (const id of (await readdir(root).catch(() => [])).filter(isTaskId)) {
        const found = await describe(folderOf(id));
        if (found !== undefined) yield found;
      }
    },
    async removeWork(id) {
      const folder = folderOf(id);
      for (const name of await readdir(folder).catch(() => []))
        if (name.startsWith(WORK_PREFIX)) await rm(join(folder, name), { recursive: true, force: true });
    },
    async remove(id) {
      await rm(folderOf(id), { recursive: true, force: true });
    },
    sweep: () => sweepUploads(join(root, INCOMING), own),
    async close() {
      await rm(own, { recursive: true, force: true });
    },
  };
}

export function recordingGone(id: string): AppError {
  return new AppError('not_found', `The recording of task ${id} is not there any more. Send it again.`);
}

/** A work directory under `parent`, for the recording at `path`. */
export async function openIn(parent: string, path: string): Promise<OpenRecording> {
  const workDirectory = await mkdtemp(join(parent, WORK_PREFIX));
  return {
    path,
    workDirectory,
    close: () => rm(workDirectory, { recursive: true, force: true }),
  };
}

/** The rename of the folder is the one moment in which the recording appears; all of it is on the disk by then. */
async function keepInOrder(
  { path, extension, task }: KeptUpload,
  { root, staging }: { readonly root: string; readonly staging: string },
): Promise<void> {
  try {
    await mkdir(staging, { recursive: true, mode: 0o700 });
    const raw = join(staging, `raw${extension}`);
    await rename(path, raw);
    await flush(raw);
    const manifest = join(staging, MANIFEST);
    await writeFile(manifest, manifestText(task), { mode: 0o600 });
    await flush(manifest);
    await flush(staging);
    await rename(staging, join(root, task.id));
    await flush(root);
  } catch (error) {
    await rm(staging, { recursive: true, force: true });
    throw error;
  }
}

async function flush(path: string): Promise<void> {
  const handle = await open(path);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function describe(folder: string): Promise<StoredRecording | undefined> {
  const id = basename(folder);
  const manifest = join(folder, MANIFEST);
  const keptAt = (await timeOf(manifest)) ?? (await timeOf(folder));
  // It was removed since the folders were listed.
  if (keptAt === undefined) return undefined;
  return {
    id,
    keptAt,
    endedAt: await timeOf(join(folder, ENDED)),
    task: async () => parseManifest(await readFile(manifest, 'utf8').catch(() => ''), id),
  };
}

async function timeOf(path: string): Promise<Date | undefined> {
  return (await stat(path).catch(() => undefined))?.mtime;
}

/** Removes uploads under `incoming` that nobody goes on with; `own` stays. */
export async function sweepUploads(incoming: string, own: string): Promise<void> {
  for (const name of await readdir(incoming).catch(() => [])) {
    const folder = join(incoming, name);
    let isFresh = folder === own;
    for (const file of await readdir(folder, { recursive: true }).catch(() => [])) {
      if (await isStale(join(folder, file))) await rm(join(folder, file), { recursive: true, force: true });
      else isFresh = true;
    }
    if (!isFresh && (await isStale(folder))) await rm(folder, { recursive: true, force: true });
  }
}

async function isStale(path: string): Promise<boolean> {
  const stats = await stat(path).catch(() => undefined);
  return stats !== undefined && Date.now() - stats.mtimeMs > STALE_MS;
}

function ignoreDone(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT' && error.code !== 'EEXIST') throw error;
}

function toKeepError(error: unknown): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (code !== 'ENOSPC' && code !== 'EDQUOT') return error;
  return new AppError(
    'disk_full',
    'The disk for recordings is full. Free space in tasks.directory and try again.',
    { cause: error },
  );
}
