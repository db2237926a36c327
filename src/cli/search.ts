/** `percept search FOLDER QUERY`: the pictures of a folder by how well a text describes them. */
import { createHash } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { join } from 'node:path';
import type { Command } from 'commander';
import { AppError, toAppError } from '../base/errors.ts';
import { cosine } from '../vision/ranking.ts';
import type { VisionService } from '../vision/service.ts';
import type { CliContext } from './context.ts';
import { type EmbeddingCache, openEmbeddingCache } from './embedding-cache.ts';
import { findImageFiles, readImageFile } from './image-files.ts';
import { wholeNumberBetween } from './option-values.ts';
import { prepareModel } from './prepare-model.ts';
import { startProgress } from './progress.ts';
import { formatTable } from './table.ts';

interface Options {
  readonly model?: string;
  readonly topK: number;
  readonly json?: true;
}

/** Read and sent to the model together: enough for it to fill a batch while others are read. */
const AT_ONCE = 16;

export function register(program: Command, context: CliContext): void {
  program
    .command('search')
    .description('find the pictures of a folder that a text describes')
    .argument('<folder>', 'looked through with all folders below it')
    .argument('<query>', 'what to look for')
    .option('-m, --model <name>', 'vision model; the configured default when left out')
    .option('-k, --top-k <number>', 'most pictures to show', wholeNumberBetween(1, 1_000_000), 10)
    .option('--json', 'JSON in place of a table')
    .action((folder: string, query: string, options: Options) => search(folder, query, { options, context }));
}

interface Found {
  readonly file: string;
  /** Cosine, from -1 to 1. */
  readonly similarity: number;
}

async function search(
  folder: string,
  query: string,
  { options, context }: { readonly options: Options; readonly context: CliContext },
): Promise<void> {
  const files = await findImageFiles(folder);
  if (files.length === 0) throw new AppError('not_found', `There are no pictures in ${folder}.`);
  const { model, topK, json } = options;
  const app = context.openVision(context.loadConfig().config);
  try {
    const prepared = await prepareModel(app.vision, model, { context, isQuiet: json === true });
    const texts = [{ name: 'query', value: query }];
    const { embeddings, dimension } = await app.vision.embedTexts({ model, texts }, context.signal);
    const path = join(app.store.cacheFolder(prepared.base), `images-${prepared.key}.embeddings`);
    const cache = await openEmbeddingCache(path, dimension);
    const found = await embedAll(files, app.vision, { cache, query: embeddings[0]!, options, context });
    found.sort((a, b) => b.similarity - a.similarity);
    print(found.slice(0, topK), options, context);
  } finally {
    await app.close({ timeoutMs: 0 });
  }
}

async function embedAll(
  files: readonly string[],
  vision: VisionService,
  work: {
    readonly cache: EmbeddingCache;
    readonly query: Float32Array;
    readonly options: Options;
    readonly context: CliContext;
  },
): Promise<Found[]> {
  const { cache, query, options, context } = work;
  const progress = options.json
    ? undefined
    : startProgress(context.stderr, { label: 'pictures', unit: 'files' });
  const found: Found[] = [];
  const failures: string[] = [];
  let done = 0;
  // Each picture waits with it.
  setMaxListeners(0, context.signal);
  const one = async (file: string) => {
    try {
      const bytes = await readImageFile(file);
      const hash = createHash('sha256').update(bytes).digest('hex');
      let embedding = cache.get(hash);
      if (embedding === undefined) {
        const images = [{ name: file, value: bytes }];
        const { embeddings } = await vision.embedImages({ model: options.model, images }, context.signal);
        embedding = embeddings[0]!;
        await cache.put(hash, embedding);
      }
      found.push({ file, similarity: cosine(query, embedding) });
    } catch (thrown) {
      if (context.signal.aborted) throw thrown;
      failures.push(`percept: ${file}: ${toAppError(thrown).message}\n`);
    }
    done += 1;
    progress?.update(done, files.length);
  };
  const waiting = files.values();
  try {
    await Promise.all(
      Array.from({ length: AT_ONCE }, async () => {
        for (const file of waiting) await one(file);
      }),
    );
  } finally {
    progress?.end();
  }
  for (const failure of failures) context.stderr.write(failure);
  if (failures.length > 0) context.fail();
  return found;
}

function print(found: readonly Found[], { json }: Options, { stdout }: CliContext): void {
  if (json) stdout.write(`${JSON.stringify({ results: found }, null, 2)}\n`);
  else stdout.write(formatTable(found.map(({ file, similarity }) => [similarity.toFixed(4), file])));
}
