/** What the installer must know again: how fresh configurations looked, so that an edited one is told from an old one, and what units were made of. */
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { AppError } from '../base/errors.ts';
import type { Layout } from './layout.ts';

const recordSchema = z.object({
  /** SHA-256 of each configuration that was ever written here by an installation, oldest first. */
  templates: z.array(z.string().regex(/^[0-9a-f]{64}$/)),
  /** Node.js as the unit names it. */
  node: z.string(),
  /** Groups of the devices that the service may use, as the unit names them. */
  deviceGroups: z.array(z.string()),
});

export type InstallRecord = Readonly<z.output<typeof recordSchema>>;

/** Undefined where nothing is installed. Throws `invalid_config` for a damaged one. */
export async function readRecord(layout: Layout): Promise<InstallRecord | undefined> {
  const path = layout.onDisk(layout.record);
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
    throw error;
  });
  if (text === undefined) return undefined;
  try {
    return recordSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new AppError(
      'invalid_config',
      `${path} is damaged: it is no longer what an installation wrote. Remove it and install again; then a configuration that you never edited counts as edited.`,
      { cause },
    );
  }
}

export function recordText(record: InstallRecord): string {
  return `${JSON.stringify(recordSchema.parse(record), null, 2)}\n`;
}
