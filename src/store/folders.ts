/**
 * What lies where in the data directory, which several processes may share:
 *
 *   models/<name>/      a model and its manifest; `owner/name` is written `owner--name`
 *   cache/<name>/       what was converted from it
 *   datasets/<name>/    recordings for the demo
 *   downloads/<name>/   parts of downloads under way or cut
 *   locks/              who is working on what
 */
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { sweepDirectory } from './install.ts';
import { sweepLocks } from './lock.ts';

export interface Folders {
  readonly models: string;
  readonly cache: string;
  readonly datasets: string;
  readonly downloads: string;
  readonly locks: string;
}

/** A cut download that nobody went on with for so long is given up. */
const STALE_DOWNLOAD_MS = 14 * 24 * 3600 * 1000;

export function foldersOf(home: string): Folders {
  return {
    models: join(home, 'models'),
    cache: join(home, 'cache'),
    datasets: join(home, 'datasets'),
    downloads: join(home, 'downloads'),
    locks: join(home, 'locks'),
  };
}

/** A model's name as one path component; no other name may hold two dashes. */
export function folderName(base: string): string {
  return base.replace('/', '--');
}

/** Removes what processes that no longer run have left: half-built directories, claims, downloads of long ago. */
export async function sweepFolders(folders: Folders): Promise<void> {
  await sweepLocks(folders.locks);
  await sweepDirectory(folders.models);
  await sweepDirectory(folders.datasets);
  for (const model of await readdir(folders.cache).catch(() => [])) {
    for (const variant of await readdir(join(folders.cache, model)).catch(() => [])) {
      await sweepDirectory(join(folders.cache, model, variant));
    }
  }
  for (const model of await readdir(folders.downloads).catch(() => [])) {
    const path = join(folders.downloads, model);
    const isStale = Date.now() - (await newestTouchMs(path)) > STALE_DOWNLOAD_MS;
    if (isStale) await rm(path, { recursive: true, force: true });
  }
}

async function newestTouchMs(directory: string): Promise<number> {
  const names = await readdir(directory, { recursive: true }).catch(() => []);
  const found = await Promise.all(
    ['.', ...names].map((name) => stat(join(directory, name)).catch(() => undefined)),
  );
  return Math.max(0, ...found.map((entry) => entry?.mtimeMs ?? 0));
}
