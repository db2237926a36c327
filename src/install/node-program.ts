/** Which Node.js the service runs on: the machine's own where its user can reach that, else a copy. */
import { constants, realpathSync } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Layout } from './layout.ts';

export interface NodeChoice {
  /** As the unit names it. */
  readonly path: string;
  /** Where it is copied from; undefined where it is used in place. */
  readonly copyOf: string | undefined;
}

/** Hidden from the service by ProtectHome and PrivateTmp, or gone after a restart. */
const HIDDEN = ['/home/', '/root/', '/run/', '/tmp/', '/var/tmp/'];

/** `running` is the Node.js of this process. In an image it is used in place only if the image has it, too. */
export async function chooseNode(layout: Layout, running: string = process.execPath): Promise<NodeChoice> {
  const path = realpathSync(running);
  if (!isHidden(path) && (await isForEveryone(layout.onDisk(path)))) return { path, copyOf: undefined };
  return { path: layout.node, copyOf: path };
}

export function isHidden(path: string): boolean {
  return HIDDEN.some((folder) => path.startsWith(folder));
}

/** Any user can start it, through folders that any user can enter. */
async function isForEveryone(path: string): Promise<boolean> {
  const isThere = await access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
  if (!isThere || ((await stat(path)).mode & 0o005) !== 0o005) return false;
  for (let folder = dirname(path); folder !== dirname(folder); folder = dirname(folder)) {
    if (((await stat(folder)).mode & 0o001) === 0) return false;
  }
  return true;
}
