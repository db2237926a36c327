/**
 * One holder per name, over all processes that share a data directory. Each asker puts a claim, a file with a name of its
 * own, and holds the lock if no other living claim stands beside it; two that see each other both step back and try
 * again. A claim's name is never used twice, so removing one that a dead process left cannot hit a living holder.
 */
import { randomBytes, randomInt } from 'node:crypto';
import { mkdir, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sleep, throwIfAborted } from '../base/abort.ts';
import { isOwnerAlive, ownerTag } from './owner.ts';

/** A claim of another host that was not touched for so long is dead; its owner touches it six times as often. */
const STALE_MS = 60_000;

export interface LockOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called once when somebody else holds it. */
  readonly onWait?: () => void;
}

/** Runs `work` while no other process or task holds `name` in `folder`. `name` is a single path component. */
export async function withLock<T>(
  lock: { readonly folder: string; readonly name: string },
  work: () => Promise<T>,
  options: LockOptions = {},
): Promise<T> {
  const claim = await acquire(lock, options);
  const heartbeat = setInterval(() => {
    const now = new Date();
    utimes(claim, now, now).catch(() => {});
  }, STALE_MS / 6);
  heartbeat.unref();
  try {
    return await work();
  } finally {
    clearInterval(heartbeat);
    await rm(claim, { force: true });
  }
}

/** Removes the claims of dead processes. */
export async function sweepLocks(folder: string): Promise<void> {
  const names = await readdir(folder).catch(() => []);
  for (const name of names) await isLiving(folder, name);
}

async function acquire(
  lock: { readonly folder: string; readonly name: string },
  options: LockOptions,
): Promise<string> {
  await mkdir(lock.folder, { recursive: true });
  const own = `${lock.name}@${ownerTag()}.${randomBytes(6).toString('hex')}`;
  const claim = join(lock.folder, own);
  for (let waited = false; ; waited = true) {
    throwIfAborted(options.signal);
    if (!(await hasOther(lock, own))) {
      await writeFile(claim, '', { flag: 'wx' });
      if (!(await hasOther(lock, own))) return claim;
      await rm(claim, { force: true });
    }
    if (!waited) options.onWait?.();
    // A random pause, so that two who stepped back for each other do not meet again.
    await sleep(randomInt(20, 120), options.signal);
  }
}

async function hasOther(
  lock: { readonly folder: string; readonly name: string },
  own: string,
): Promise<boolean> {
  for (const name of await readdir(lock.folder)) {
    if (name !== own && name.startsWith(`${lock.name}@`) && (await isLiving(lock.folder, name))) return true;
  }
  return false;
}

/** Whether a claim's owner lives; a dead one's claim is removed. */
async function isLiving(folder: string, name: string): Promise<boolean> {
  const path = join(folder, name);
  const found = await stat(path).catch(() => undefined);
  if (!found) return false;
  const tag = name.slice(name.lastIndexOf('@') + 1);
  if (isOwnerAlive(tag, { touchedMs: found.mtimeMs, staleMs: STALE_MS })) return true;
  await rm(path, { force: true });
  return false;
}
