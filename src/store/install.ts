/** Directories that appear whole or not at all: built beside their place, forced to disk, renamed. */
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { syncDirectory, syncPath } from './disk.ts';
import { isOwnerAlive, ownerTag } from './owner.ts';

const INCOMING = '.incoming-';
const REMOVED = '.removed-';
/** How long another host may take to fill a directory: longer than any download or conversion. */
const STALE_MS = 24 * 3600 * 1000;

/** Lets `build` fill an empty directory and then puts it at `target`, in place of what is there. Nothing is left if it fails. */
export async function installDirectory<T>(
  target: string,
  build: (directory: string) => Promise<T>,
): Promise<T> {
  const parent = dirname(target);
  const incoming = join(parent, temporaryName(INCOMING));
  await mkdir(incoming, { recursive: true });
  try {
    const result = await build(incoming);
    await syncDirectory(incoming);
    await removeDirectory(target);
    await rename(incoming, target);
    await syncPath(parent);
    return result;
  } catch (error) {
    await rm(incoming, { recursive: true, force: true });
    throw error;
  }
}

/** Renames first, so that nobody finds a directory with half of its files. False when there was none. */
export async function removeDirectory(target: string): Promise<boolean> {
  const doomed = join(dirname(target), temporaryName(REMOVED));
  try {
    await rename(target, doomed);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
  await rm(doomed, { recursive: true, force: true });
  return true;
}

/** Removes what processes that no longer run left half-built or half-removed in `parent`. */
export async function sweepDirectory(parent: string): Promise<void> {
  for (const name of await readdir(parent).catch(() => [])) {
    const prefix = [INCOMING, REMOVED].find((candidate) => name.startsWith(candidate));
    if (!prefix) continue;
    const path = join(parent, name);
    const found = await stat(path).catch(() => undefined);
    const tag = name.slice(prefix.length);
    if (found && !isOwnerAlive(tag, { touchedMs: found.mtimeMs, staleMs: STALE_MS })) {
      await rm(path, { recursive: true, force: true });
    }
  }
}

export function isTemporary(name: string): boolean {
  return name.startsWith(INCOMING) || name.startsWith(REMOVED);
}

function temporaryName(prefix: string): string {
  return `${prefix}${ownerTag()}.${randomBytes(6).toString('hex')}`;
}
