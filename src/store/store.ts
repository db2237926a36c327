/** Weights on disk: what is installed, where it comes from, what is made of it. */
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '../base/errors.ts';
import { type Logger, silentLogger } from '../base/logger.ts';
import type { CatalogueEntry } from './catalogue-entry.ts';
import { type ConversionRequest, convert, findConversion } from './conversion.ts';
import { DATASETS, type DatasetName, hasDataset, pullDataset } from './dataset.ts';
import { hashFile, storageError } from './disk.ts';
import { type Folders, folderName, foldersOf, sweepFolders } from './folders.ts';
import { importModel, installBundled } from './import.ts';
import { isTemporary, removeDirectory, sweepDirectory } from './install.ts';
import { type LockOptions, withLock } from './lock.ts';
import { type Manifest, readManifest } from './manifest.ts';
import { baseName, type ResolvedName, type ResolveOptions, resolveName } from './names.ts';
import { type PullProgress, pullModel } from './pull.ts';
import { openRemote, type Remote, type RemoteOptions } from './remote.ts';
import { SharedTasks } from './shared-task.ts';

export interface StoreOptions extends RemoteOptions {
  /** Absolute path of the data directory; made when it is first needed. */
  readonly home: string;
  readonly logger?: Logger;
}

export interface InstalledModel {
  readonly manifest: Manifest;
  readonly directory: string;
}

export interface WorkOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: PullProgress) => void) | undefined;
}

/** Touches nothing until it is asked for something; `close` ends the downloads under way. */
export function openStore(options: StoreOptions): Store {
  return new Store(options);
}

export class Store {
  readonly #home: string;
  readonly #folders: Folders;
  readonly #logger: Logger;
  readonly #remote: Remote;
  /** Pulls and data sets under way in this process, by name. */
  readonly #pulls = new SharedTasks<PullProgress, void>();

  constructor(options: StoreOptions) {
    this.#home = options.home;
    this.#folders = foldersOf(options.home);
    this.#logger = options.logger ?? silentLogger;
    this.#remote = openRemote(options);
  }

  /** Installed models, by name. */
  async list(): Promise<readonly InstalledModel[]> {
    const names = await readdir(this.#folders.models).catch(() => []);
    const kept = names.filter((name) => !isTemporary(name));
    const found = await Promise.all(kept.map((name) => read(join(this.#folders.models, name))));
    return found
      .filter((model) => model !== undefined)
      .sort((a, b) => (a.manifest.name < b.manifest.name ? -1 : 1));
  }

  /** The installed model, by any of its names; undefined when it is not installed or not whole. */
  find(name: string): Promise<InstalledModel | undefined> {
    return read(this.#modelFolder(baseName(name)));
  }

  /** As `find`, but throws `model_not_installed` with the command that installs it. */
  async require(name: string): Promise<InstalledModel> {
    const found = await this.find(name);
    if (found) return found;
    const base = baseName(name);
    throw new AppError(
      'model_not_installed',
      `${base} is not installed. Install it with \`percept pull ${base}\`.`,
      {
        param: 'model',
      },
    );
  }

  /** What a client means by a name, imported models included. Throws `model_not_found`. */
  async resolve(name: string, defaults: Omit<ResolveOptions, 'installed'>): Promise<ResolvedName> {
    const installed = (await this.list()).map((model) => model.manifest);
    return resolveName(name, { ...defaults, installed });
  }

  /**
   * Installs a model and its companions unless they are there; everybody who asks for the same shares one download, in
   * this process and across processes. Throws `model_not_found`, `download_failed`, `checksum_mismatch`, `disk_full`,
   * `offline`, `unsupported_model`, `cancelled`.
   */
  async pull(name: string, work: WorkOptions = {}): Promise<InstalledModel> {
    const options = { defaultModel: name, computeType: 'int8' } as const;
    await this.#pullOne((await this.resolve(name, options)).entry, work);
    // What it works with follows from what it is, which a repository's name does not tell.
    const { entry } = await this.resolve(name, options);
    for (const companion of entry.companions) await this.#pullCompanion(companion, entry, work);
    return this.require(entry.name);
  }

  /** Removes a model, what was converted from it and what is left of its downloads. False when it was not installed. */
  async remove(name: string): Promise<boolean> {
    const base = baseName(name);
    return this.#locked(`model-${folderName(base)}`, {}, async () => {
      const wasThere = await removeDirectory(this.#modelFolder(base));
      await rm(join(this.#folders.cache, folderName(base)), { recursive: true, force: true });
      await rm(join(this.#folders.downloads, folderName(base)), { recursive: true, force: true });
      return wasThere;
    });
  }

  /** Installs a model from this machine, in place of one of the same name. Throws `unsupported_model`, `invalid_request`. */
  async import(name: string, path: string, work: Pick<WorkOptions, 'signal'> = {}): Promise<InstalledModel> {
    const base = baseName(name);
    const directory = this.#modelFolder(base);
    const manifest = await this.#locked(`model-${folderName(base)}`, work, () =>
      importModel({ name: base, path, signal: work.signal }, directory),
    );
    return { manifest, directory };
  }

  /** What is built from a model's weights, once per key; see `ConversionRequest`. Returns its directory. */
  async conversion(request: ConversionRequest): Promise<string> {
    const cache = join(this.#folders.cache, folderName(request.model));
    const found = await findConversion(cache, request);
    if (found) return found;
    const name = `conversion-${folderName(request.model)}`;
    return this.#locked(name, { signal: request.signal }, () => convert(cache, request));
  }

  /** Where what is made with a model may be kept: it goes when the model does. Not made yet. */
  cacheFolder(name: string): string {
    return join(this.#folders.cache, folderName(baseName(name)));
  }

  /** Recordings with transcripts, downloaded at the first call. Returns their directory. */
  async dataset(name: DatasetName, work: WorkOptions = {}): Promise<string> {
    const target = join(this.#folders.datasets, name);
    if (await hasDataset(DATASETS[name], target)) return target;
    await this.#share(`dataset-${name}`, work, async (shared) => {
      if (await hasDataset(DATASETS[name], target)) return;
      const downloads = join(this.#folders.downloads, `dataset-${name}`);
      await pullDataset(DATASETS[name], target, { ...this.#remote, ...shared, downloads });
    });
    return target;
  }

  /** Hashes every file of an installed model again. Throws `checksum_mismatch`, naming the files that have changed. */
  async verify(name: string, work: Pick<WorkOptions, 'signal'> = {}): Promise<Manifest> {
    const { manifest, directory } = await this.require(name);
    const changed: string[] = [];
    for (const file of manifest.files) {
      const { sha256 } = await hashFile(join(directory, file.path), work.signal);
      if (sha256 !== file.sha256) changed.push(file.path);
    }
    if (changed.length === 0) return manifest;
    throw new AppError(
      'checksum_mismatch',
      `${manifest.name}: ${changed.join(', ')} changed on disk since the installation. ` +
        `Install it again: \`percept rm ${manifest.name}\`, then \`percept pull ${manifest.name}\`.`,
    );
  }

  /** Removes what processes that no longer run have left half-done. */
  async sweep(): Promise<void> {
    await sweepFolders(this.#folders);
  }

  async close(): Promise<void> {
    await this.#pulls.abortAll(new AppError('shutting_down', 'The store was closed during the download.'));
    await this.#remote.network.close();
  }

  async #pullOne(entry: CatalogueEntry, work: WorkOptions): Promise<void> {
    const target = this.#modelFolder(entry.name);
    if (await readManifest(target)) return;
    await this.#share(`model-${folderName(entry.name)}`, work, async (shared) => {
      if (await readManifest(target)) return;
      await sweepDirectory(this.#folders.models);
      if (entry.isBundled) {
        await installBundled(entry, target, shared.signal);
        return;
      }
      const downloads = join(this.#folders.downloads, folderName(entry.name));
      await pullModel(entry, target, {
        ...this.#remote,
        ...shared,
        sources: this.#remote.sourcesOf(entry),
        logger: this.#logger,
        downloads,
      });
    });
  }

  async #pullCompanion(companion: string, entry: CatalogueEntry, work: WorkOptions): Promise<void> {
    try {
      await this.#pullOne(
        resolveName(companion, { defaultModel: companion, computeType: 'float32' }).entry,
        work,
      );
    } catch (error) {
      if (!(error instanceof AppError) || error.code === 'cancelled') throw error;
      const message = `${entry.name} is installed, but not ${companion}, which it works with.\n${error.message}`;
      throw new AppError(error.code, message, { cause: error });
    }
  }

  /** One run of `task` for all who ask for `name` in this process, under the lock that other processes respect. */
  #share(name: string, work: WorkOptions, task: (shared: WorkOptions) => Promise<void>): Promise<void> {
    const onWait = () => this.#logger.info({ lock: name }, 'another process is working on this; waiting');
    const run = (signal: AbortSignal, onProgress: (progress: PullProgress) => void) =>
      this.#locked(name, { signal, onWait }, () => task({ signal, onProgress }));
    return this.#pulls.run(name, run, { signal: work.signal, onEvent: work.onProgress });
  }

  async #locked<T>(name: string, options: LockOptions, work: () => Promise<T>): Promise<T> {
    try {
      return await withLock({ folder: this.#folders.locks, name }, work, options);
    } catch (thrown) {
      throw await storageError(thrown, this.#home, 0);
    }
  }

  #modelFolder(base: string): string {
    return join(this.#folders.models, folderName(base));
  }
}

async function read(directory: string): Promise<InstalledModel | undefined> {
  const manifest = await readManifest(directory);
  return manifest && { manifest, directory };
}
