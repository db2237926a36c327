/** The kinds of things that an installation consists of: each can be looked at and made. */
import { readFile, readlink } from 'node:fs/promises';
import { type Disk, lstatIfThere, type Owner, type Rights } from './disk.ts';

export type State = 'missing' | 'differs' | 'same';

/** A thing that is left alone, and why. */
export interface Skipped {
  readonly skipped: string;
}

export interface Item {
  /** Of the installed system, or what else stands for it in the report. */
  readonly path: string;
  /** Changes nothing. */
  look(): Promise<State | Skipped>;
  /** Makes it as it should be, from any state, also that of an earlier run that was killed in the middle. May give a remark for the report. */
  apply(): Promise<string | undefined | Skipped>;
  /** A running service has to be restarted after a change. */
  readonly isRead?: boolean;
}

/** The remark of an item that has gone. */
export const REMOVED = 'removed';

export interface Place {
  readonly disk: Disk;
  /** From a path of the installed system to one of this process. */
  readonly onDisk: (path: string) => string;
}

/** Asked anew each time, as users come into being on the way. */
export type OwnerOf = () => Promise<Owner | undefined>;

export interface FileFacts {
  readonly path: string;
  /** Undefined: the file is not to be there. */
  readonly text: string | undefined;
  readonly mode: number;
  readonly owner: OwnerOf;
  readonly isRead?: boolean;
}

export function fileItem({ path, text, mode, owner, isRead = true }: FileFacts, place: Place): Item {
  const file = place.onDisk(path);
  return {
    path,
    isRead,
    async look() {
      const found = await lstatIfThere(file);
      if (text === undefined) return found === undefined ? { skipped: 'nothing to say' } : 'differs';
      if (found === undefined) return 'missing';
      if (!found.isFile() || (await readFile(file, 'utf8')) !== text) return 'differs';
      return hasRights(found, { mode, owner: await owner() }) ? 'same' : 'differs';
    },
    async apply() {
      if (text === undefined) {
        await place.disk.remove(file);
        return REMOVED;
      }
      await place.disk.writeFile(file, text, { mode, owner: await owner() });
      return undefined;
    },
  };
}

export interface DirectoryFacts {
  readonly path: string;
  readonly mode: number;
  readonly owner: OwnerOf;
}

export function directoryItem({ path, mode, owner }: DirectoryFacts, place: Place): Item {
  const directory = place.onDisk(path);
  return {
    path,
    async look() {
      const found = await lstatIfThere(directory);
      if (found === undefined) return 'missing';
      return found.isDirectory() && hasRights(found, { mode, owner: await owner() }) ? 'same' : 'differs';
    },
    async apply() {
      await place.disk.makeDirectory(directory, { mode, owner: await owner() });
      return undefined;
    },
  };
}

export interface LinkFacts {
  readonly path: string;
  readonly target: string;
  readonly isRead?: boolean;
}

export function linkItem({ path, target, isRead = false }: LinkFacts, place: Place): Item {
  const link = place.onDisk(path);
  return {
    path,
    isRead,
    async look() {
      const found = await lstatIfThere(link);
      if (found === undefined) return 'missing';
      return found.isSymbolicLink() && (await readlink(link)) === target ? 'same' : 'differs';
    },
    async apply() {
      await place.disk.link(link, target);
      return `-> ${target}`;
    },
  };
}

function hasRights(
  found: { readonly mode: number; readonly uid: number; readonly gid: number },
  { mode, owner }: Rights,
): boolean {
  if ((found.mode & 0o7777) !== mode) return false;
  return owner === undefined || (found.uid === owner.uid && found.gid === owner.gid);
}
