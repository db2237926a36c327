/** Users and groups of a system, read from its own files: those of an image are not those of the machine that builds it. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface Account {
  readonly uid: number;
  readonly gid: number;
}

/** Undefined where there is no such user, or no users yet. */
export async function findUser(root: string, name: string): Promise<Account | undefined> {
  const row = (await rows(join(root, 'etc/passwd'))).find(([found]) => found === name);
  return row && { uid: Number(row[2]), gid: Number(row[3]) };
}

export async function findGroup(root: string, name: string): Promise<number | undefined> {
  const row = (await rows(join(root, 'etc/group'))).find(([found]) => found === name);
  return row && Number(row[2]);
}

export async function groupName(root: string, gid: number): Promise<string | undefined> {
  return (await rows(join(root, 'etc/group'))).find((row) => Number(row[2]) === gid)?.[0];
}

/** The highest id of a user of the system; people come above it (login.defs). */
export const LAST_SYSTEM_ID = 999;

async function rows(path: string): Promise<string[][]> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
  return text.split('\n').map((line) => line.split(':'));
}
