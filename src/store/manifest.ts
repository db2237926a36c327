/** What describes an installed directory: its files with their hashes, where they came from and under which licence. */
import { createHash } from 'node:crypto';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';

export const MANIFEST_FILE = 'manifest.json';

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

const fileSchema = z.object({
  /** Inside the directory, no folders. */
  path: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/),
  sizeBytes: z.int().min(0),
  sha256,
});

const sourceSchema = z.object({
  type: z.enum(['hub', 'index', 'vendor', 'import', 'bundled']),
  /** Repository, package names, the vendor's addresses or the imported path. */
  id: z.string(),
  /** Commit of a repository or versions of packages; undefined for an import. */
  revision: z.string().optional(),
  /** Without any password. */
  url: z.string().optional(),
});

const manifestSchema = z.object({
  name: z.string(),
  kind: z.enum(['whisper', 'whisper-hailo', 'chunkformer', 'clip', 'clip-hailo', 'llm', 'vad']),
  format: z.enum(['ctranslate2', 'huggingface', 'openclip', 'pytorch', 'gguf', 'onnx', 'hef']),
  files: z.array(fileSchema).min(1),
  source: sourceSchema,
  licence: z.string(),
  /** SHA-256 over the hashes of the weight files: one name for these weights, wherever they came from. */
  checkpointHash: sha256,
  /** ISO 8601, UTC. */
  installedAt: z.string(),
});

export type Manifest = Readonly<z.output<typeof manifestSchema>>;
export type InstalledFile = Readonly<z.output<typeof fileSchema>>;
export type ManifestSource = Readonly<z.output<typeof sourceSchema>>;
export type WeightFormat = Manifest['format'];

export async function writeManifest(directory: string, manifest: Manifest): Promise<void> {
  await writeFile(
    join(directory, MANIFEST_FILE),
    `${JSON.stringify(manifestSchema.parse(manifest), null, 2)}\n`,
  );
}

/** The manifest of a whole installation; undefined when there is none, or a file of it is missing or has another size. */
export async function readManifest(directory: string): Promise<Manifest | undefined> {
  const manifest = await parseManifest(join(directory, MANIFEST_FILE));
  if (!manifest) return undefined;
  for (const file of manifest.files) {
    const found = await stat(join(directory, file.path)).catch(() => undefined);
    if (found?.size !== file.sizeBytes) return undefined;
  }
  return manifest;
}

/** SHA-256 over the hexadecimal hashes of some files, in the order of their names: of the weights it is the `checkpointHash`. */
export function hashOfFiles(files: readonly InstalledFile[]): string {
  const ordered = [...files].sort((a, b) => (a.path < b.path ? -1 : 1));
  return createHash('sha256')
    .update(ordered.map((file) => file.sha256).join(''))
    .digest('hex');
}

async function parseManifest(path: string): Promise<Manifest | undefined> {
  try {
    return manifestSchema.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch {
    // A manifest that cannot be read is no installation; the next pull or import replaces it.
    return undefined;
  }
}
