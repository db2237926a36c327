/**
 * Every change that an installation makes to a disk. Each leaves either what was there before or all of the new: a file is written beside its
 * place, forced to disk and renamed, so that a run that is killed anywhere can be repeated. Names of unfinished things are fixed: the next run
 * writes over them. No change follows a link, as data directories belong to users that must not lead root astray.
 */
import { constants } from 'node:fs';
import {
  copyFile,
  type FileHandle,
  lstat,
  mkdir,
  open,
  readdir,
  rename,
  rm,
  rmdir,
  symlink,
} from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { AppError } from '../base/errors.ts';

export interface Rights {
  /** Permission bits. */
  readonly mode: number;
  /** Left as it is where undefined: only root gives files away. */
  readonly owner: Owner | undefined;
}

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** Called before each single change with what it is; a test ends the process there. */
export type BeforeChange = (change: string) => void;

export class Disk {
  readonly #before: BeforeChange;

  constructor(before: BeforeChange = () => undefined) {
    this.#before = before;
  }

  async writeFile(path: string, text: string, { mode, owner }: Rights): Promise<void> {
    await this.#parents(path);
    const beside = unfinished(path);
    this.#before(`open ${path}`);
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW;
    await withHandle(await open(beside, flags, 0o600), async (file) => {
      if (owner) await file.chown(owner.uid, owner.gid);
      await file.chmod(mode);
      this.#before(`write ${path}`);
      await file.writeFile(text);
      await file.sync();
    });
    this.#before(`rename ${path}`);
    await rename(beside, path);
    await syncFolder(dirname(path));
  }

  async copyFile(source: string, path: string, mode: number): Promise<void> {
    await this.#parents(path);
    const beside = unfinished(path);
    this.#before(`copy ${path}`);
    await rm(beside, { force: true });
    await copyFile(source, beside, constants.COPYFILE_FICLONE);
    await withHandle(await open(beside, constants.O_RDWR), async (file) => {
      await file.chmod(mode);
      await file.sync();
    });
    this.#before(`rename ${path}`);
    await rename(beside, path);
    await syncFolder(dirname(path));
  }

  /** Takes from a file all rights of those who are neither its user nor of its group. */
  async closeFile(path: string): Promise<void> {
    this.#before(`rights of ${path}`);
    await withHandle(await open(path, constants.O_RDONLY | constants.O_NOFOLLOW), async (file) => {
      await file.chmod((await file.stat()).mode & 0o770);
    });
  }

  /** Makes it if it is missing, and gives it these rights. Throws `not_runnable` where something else lies there. */
  async makeDirectory(path: string, { mode, owner }: Rights): Promise<void> {
    await this.#parents(path);
    this.#before(`make ${path}`);
    await mkdir(path, { mode }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
    this.#before(`rights of ${path}`);
    await setRights(path, { mode, owner });
    await syncFolder(dirname(path));
  }

  async link(path: string, target: string): Promise<void> {
    await this.#parents(path);
    const beside = unfinished(path);
    await rm(beside, { force: true });
    this.#before(`link ${path}`);
    await symlink(target, beside);
    this.#before(`rename ${path}`);
    await rename(beside, path);
    await syncFolder(dirname(path));
  }

  /** Lets `build` fill an empty directory, which is then renamed to `path`, where nothing may be. `flush` forces it to disk. */
  async fillDirectory(
    path: string,
    build: (directory: string) => Promise<void>,
    flush: (directory: string) => Promise<void>,
  ): Promise<void> {
    await this.#parents(path);
    const beside = unfinished(path);
    await rm(beside, { recursive: true, force: true });
    this.#before(`fill ${path}`);
    await mkdir(beside);
    await setRights(beside, { mode: 0o755, owner: undefined });
    await build(beside);
    await flush(beside);
    this.#before(`rename ${path}`);
    await rename(beside, path);
    await syncFolder(dirname(path));
  }

  /** Something that is no part of a file: a command that changes the system, one file among many. */
  async other<T>(what: string, change: () => Promise<T>): Promise<T> {
    this.#before(what);
    return change();
  }

  /** A file, a link or a whole tree. False when it was not there. */
  async remove(path: string): Promise<boolean> {
    await rm(unfinished(path), { recursive: true, force: true });
    if ((await lstatIfThere(path)) === undefined) return false;
    this.#before(`remove ${path}`);
    await rm(path, { recursive: true });
    await syncFolder(dirname(path));
    return true;
  }

  /** Removes a directory that nothing is left in. */
  async removeIfEmpty(path: string): Promise<void> {
    this.#before(`remove ${path}`);
    await rmdir(path).catch((error: NodeJS.ErrnoException) => {
      if (!['ENOTEMPTY', 'EEXIST', 'ENOENT', 'ENOTDIR'].includes(error.code ?? '')) throw error;
    });
  }

  /** Folders of the system, such as /etc/xdg, which an image may not have yet. Whatever the umask, they can be entered. */
  async #parents(path: string): Promise<void> {
    const missing: string[] = [];
    let folder = dirname(path);
    for (; (await lstatIfThere(folder)) === undefined; folder = dirname(folder)) missing.unshift(folder);
    for (const one of missing) {
      this.#before(`make ${one}`);
      await mkdir(one);
      await setRights(one, { mode: 0o755, owner: undefined });
    }
  }
}

/** Undefined when nothing is there. Links are not followed. */
export async function lstatIfThere(path: string) {
  return lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
    throw error;
  });
}

/** Everything below a directory, with it, without following links; no more than `limit` paths. */
export async function pathsBelow(directory: string, limit: number): Promise<readonly string[]> {
  const found = [directory];
  for (const path of found) {
    if (found.length >= limit) break;
    if (!(await lstatIfThere(path))?.isDirectory()) continue;
    for (const name of await readdir(path)) found.push(join(path, name));
  }
  return found;
}

/** Hidden, and read by none of the programs whose folders we write to. */
export function unfinished(path: string): string {
  return join(dirname(path), `.${basename(path)}.unfinished`);
}

async function setRights(path: string, { mode, owner }: Rights): Promise<void> {
  const flags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
  const opened = await open(path, flags).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== 'ENOTDIR' && cause.code !== 'ELOOP') throw cause;
    throw new AppError(
      'not_runnable',
      `${path} is expected to be a directory and is something else. Move it away, and install again.`,
      { cause },
    );
  });
  await withHandle(opened, async (directory) => {
    if (owner) await directory.chown(owner.uid, owner.gid);
    await directory.chmod(mode);
  });
}

async function syncFolder(path: string): Promise<void> {
  await withHandle(await open(path, constants.O_RDONLY), (folder) => folder.sync());
}

async function withHandle<T>(handle: FileHandle, work: (handle: FileHandle) => Promise<T>): Promise<T> {
  try {
    return await work(handle);
  } finally {
    await handle.close();
  }
}
