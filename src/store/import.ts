/** A model from a directory or file of this machine: checked for what it is, copied, hashed, described. */
import { constants, copyFile, readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { throwIfAborted } from '../base/abort.ts';
import { AppError } from '../base/errors.ts';
import type { CatalogueEntry } from './catalogue-entry.ts';
import {
  type CheckpointFiles,
  checkFiles,
  chooseFiles,
  installedName,
  modelTypeOf,
  requireKind,
} from './checkpoint.ts';
import { hashFile, requireSpace, storageError } from './disk.ts';
import { installDirectory } from './install.ts';
import { hashOfFiles, type InstalledFile, type Manifest, writeManifest } from './manifest.ts';

export interface ImportRequest {
  /** Under which it is installed; already checked to be a safe name. */
  readonly name: string;
  /** A CTranslate2, Hugging Face or ChunkFormer directory, a directory with Silero's ONNX files or a GGUF file, or one such file. */
  readonly path: string;
  readonly signal?: AbortSignal | undefined;
  /** Of a model that comes with Percept. */
  readonly bundled?: { readonly licence: string };
}

/** Where transformers.js has its graphs. */
const EXPORTED_FOLDER = 'onnx';

/** Installs at `target`, in place of what is there. Throws `unsupported_model`, `not_found`, `disk_full`. */
export async function importModel(request: ImportRequest, target: string): Promise<Manifest> {
  const origin = resolve(request.path);
  const { directory, names } = await look(origin);
  const chosen = chooseFiles(names, origin, await modelTypeIn(directory, names));
  requireKind(request.name, chosen.kind, origin);
  await checkFiles(directory, chosen);
  const neededBytes = await sizeOf(directory, chosen.files);
  await requireSpace(dirname(target), neededBytes);
  try {
    return await installDirectory(target, (incoming) =>
      copy({ ...request, path: directory }, chosen, incoming),
    );
  } catch (thrown) {
    throw await storageError(thrown, dirname(target), neededBytes);
  }
}

/** Models that come with Percept, each in a folder of its name: beside `dist` in a checkout and in the published package. */
const BUNDLED = new URL('../../../models/', import.meta.url);

export async function installBundled(
  { name, licence }: CatalogueEntry,
  target: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const path = fileURLToPath(new URL(name, BUNDLED));
  await importModel({ name, path, signal, bundled: { licence: licence ?? 'not stated' } }, target);
}

async function look(
  path: string,
): Promise<{ readonly directory: string; readonly names: readonly string[] }> {
  const found = await stat(path).catch(() => undefined);
  if (!found)
    throw new AppError(
      'not_found',
      `There is nothing at ${path}; expected a directory, or an .onnx or .gguf file.`,
    );
  if (!found.isDirectory()) return { directory: dirname(path), names: [basename(path)] };
  const entries = await readdir(path, { withFileTypes: true });
  // The hub's cache holds links to its blobs; what they lead to is checked when it is read.
  const files = entries.filter((entry) => entry.isFile() || entry.isSymbolicLink());
  const exported = entries.some((entry) => entry.isDirectory() && entry.name === EXPORTED_FOLDER)
    ? await readdir(join(path, EXPORTED_FOLDER))
    : [];
  return {
    directory: path,
    names: [...files.map((entry) => entry.name), ...exported.map((name) => `${EXPORTED_FOLDER}/${name}`)],
  };
}

async function modelTypeIn(directory: string, names: readonly string[]): Promise<string | undefined> {
  if (!names.includes('config.json')) return undefined;
  const text = await readFile(join(directory, 'config.json'), 'utf8');
  try {
    return modelTypeOf(JSON.parse(text));
  } catch {
    // Broken JSON is told of when the files are checked.
    return undefined;
  }
}

async function copy(request: ImportRequest, chosen: CheckpointFiles, incoming: string): Promise<Manifest> {
  const files: InstalledFile[] = [];
  for (const path of chosen.files) {
    throwIfAborted(request.signal);
    const installed = installedName(path);
    const copied = join(incoming, installed);
    // Shares the blocks where the file system can.
    await copyFile(join(request.path, path), copied, constants.COPYFILE_FICLONE);
    files.push({ path: installed, ...(await hashFile(copied, request.signal)) });
  }
  const manifest: Manifest = {
    name: request.name,
    kind: chosen.kind,
    format: chosen.format,
    files,
    source:
      request.bundled === undefined
        ? { type: 'import', id: request.path }
        : { type: 'bundled', id: request.name },
    // Nobody but the importer knows; a catalogue name may hold other weights than the catalogue's.
    licence: request.bundled?.licence ?? 'not stated',
    checkpointHash: hashOfFiles(
      files.filter((file) => chosen.weights.map(installedName).includes(file.path)),
    ),
    installedAt: new Date().toISOString(),
  };
  await writeManifest(incoming, manifest);
  return manifest;
}

async function sizeOf(directory: string, names: readonly string[]): Promise<number> {
  const sizes = await Promise.all(names.map(async (name) => (await stat(join(directory, name))).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}
