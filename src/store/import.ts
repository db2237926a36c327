/** A model from a directory or file of this machine: checked for what it is, copied, hashed, described. */
import { constants, copyFile, readdir, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { throwIfAborted } from '../base/abort.ts';
import { AppError } from '../base/errors.ts';
import { type CheckpointFiles, checkFiles, chooseFiles, requireKind } from './checkpoint.ts';
import { hashFile, requireSpace, storageError } from './disk.ts';
import { installDirectory } from './install.ts';
import { hashOfFiles, type InstalledFile, type Manifest, writeManifest } from './manifest.ts';

export interface ImportRequest {
  /** Under which it is installed; already checked to be a safe name. */
  readonly name: string;
  /** A CTranslate2, Hugging Face or ChunkFormer directory, a directory with Silero's ONNX files or a GGUF file, or one such file. */
  readonly path: string;
  readonly signal?: AbortSignal | undefined;
}

/** Installs at `target`, in place of what is there. Throws `unsupported_model`, `not_found`, `disk_full`. */
export async function importModel(request: ImportRequest, target: string): Promise<Manifest> {
  const origin = resolve(request.path);
  const { directory, names } = await look(origin);
  const chosen = chooseFiles(names, origin);
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
  return { directory: path, names: files.map((entry) => entry.name) };
}

async function copy(request: ImportRequest, chosen: CheckpointFiles, incoming: string): Promise<Manifest> {
  const files: InstalledFile[] = [];
  for (const path of chosen.files) {
    throwIfAborted(request.signal);
    const copied = join(incoming, path);
    // Shares the blocks where the file system can.
    await copyFile(join(request.path, path), copied, constants.COPYFILE_FICLONE);
    files.push({ path, ...(await hashFile(copied, request.signal)) });
  }
  const manifest: Manifest = {
    name: request.name,
    kind: chosen.kind,
    format: chosen.format,
    files,
    source: { type: 'import', id: request.path },
    // Nobody but the importer knows; a catalogue name may hold other weights than the catalogue's.
    licence: 'not stated',
    checkpointHash: hashOfFiles(files.filter((file) => chosen.weights.includes(file.path))),
    installedAt: new Date().toISOString(),
  };
  await writeManifest(incoming, manifest);
  return manifest;
}

async function sizeOf(directory: string, names: readonly string[]): Promise<number> {
  const sizes = await Promise.all(names.map(async (name) => (await stat(join(directory, name))).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}
