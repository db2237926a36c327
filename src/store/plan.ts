/** What a source says about a model before anything large is moved: the files to download and how they become the model. */
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { CatalogueEntry } from './catalogue-entry.ts';
import type { CheckpointFiles } from './checkpoint.ts';
import type { Downloaded, RemoteFile } from './download.ts';
import type { InstalledFile, ManifestSource } from './manifest.ts';
import type { Network } from './network.ts';

export interface Plan {
  readonly source: ManifestSource;
  readonly licence: string;
  readonly files: CheckpointFiles;
  readonly downloads: readonly RemoteFile[];
  /** Bytes that `assemble` writes beside the downloads. */
  readonly assembledBytes: number;
  /** Turns the downloads into the files of the model inside `directory`. */
  assemble(downloads: readonly DownloadedFile[], directory: string): Promise<readonly InstalledFile[]>;
}

export interface DownloadedFile extends Downloaded {
  readonly name: string;
  readonly path: string;
}

export interface SourceContext {
  readonly network: Network;
  readonly retryDelayMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** Where weights can come from. Throws `download_failed` or `unsupported_model` when it does not have the model. */
export interface WeightSource {
  /** `hub` and `index` as in the configuration. */
  readonly type: 'hub' | 'index' | 'vendor';
  /** For messages, without any password. */
  readonly url: string;
  plan(entry: CatalogueEntry, context: SourceContext): Promise<Plan>;
}

/** `Plan.assemble` where each download is a file of the model. */
export function moveInto(
  downloads: readonly DownloadedFile[],
  directory: string,
): Promise<readonly InstalledFile[]> {
  return Promise.all(
    downloads.map(async ({ name, path, sizeBytes, sha256 }) => {
      await rename(path, join(directory, name));
      return { path: name, sizeBytes, sha256 };
    }),
  );
}
