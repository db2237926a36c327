/** Members of wheels, which are zip files. The only file that knows yauzl. */
import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { type Entry, openPromise, type ZipFile } from 'yauzl';
import { AppError } from '../base/errors.ts';
import { writeAll } from './disk.ts';

export interface MemberPart {
  /** Path of the zip file. */
  readonly archive: string;
  readonly name: string;
}

/** Writes the members one after the other into one file at `target`. Throws `checksum_mismatch` if one is not there. */
export async function extractMember(
  parts: readonly MemberPart[],
  target: string,
): Promise<{ sizeBytes: number; sha256: string }> {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  const handle = await open(target, 'wx');
  try {
    for (const part of parts) {
      for await (const chunk of contentOf(part)) {
        await writeAll(handle, chunk);
        hash.update(chunk);
        sizeBytes += chunk.length;
      }
    }
  } finally {
    await handle.close();
  }
  return { sizeBytes, sha256: hash.digest('hex') };
}

async function* contentOf(part: MemberPart): AsyncGenerator<Buffer> {
  const zip = await openPromise(part.archive, { lazyEntries: true, autoClose: false });
  try {
    const entry = await findEntry(zip, part.name);
    if (!entry) throw new AppError('checksum_mismatch', `${part.archive} holds no ${part.name}.`);
    for await (const chunk of await zip.openReadStreamPromise(entry)) yield chunk as Buffer;
  } finally {
    zip.close();
  }
}

function findEntry(zip: ZipFile, name: string): Promise<Entry | undefined> {
  return new Promise((resolve, reject) => {
    zip.once('error', reject);
    zip.once('end', () => resolve(undefined));
    zip.on('entry', (entry: Entry) => {
      if (entry.fileName === name) resolve(entry);
      else zip.readEntry();
    });
    zip.readEntry();
  });
}
