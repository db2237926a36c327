/** The vision service over the engine and the store: a name becomes installed weights, converted graphs, a leased model, an answer. */
import { deviceOf } from '../backends/hailo/sharing.ts';
import { AppError } from '../base/errors.ts';
import type { Engine } from '../engine/engine.ts';
import type { LoadSpec } from '../engine/protocol.ts';
import { CATALOGUE, estimateMemoryBytes } from '../store/catalogue.ts';
import { type ComputeType, isVisionKind, VISION_KINDS, type VisionKind } from '../store/catalogue-entry.ts';
import { hashOfFiles } from '../store/manifest.ts';
import type { ResolvedName } from '../store/names.ts';
import type { PullProgress } from '../store/pull.ts';
import type { InstalledModel, Store } from '../store/store.ts';
import { CONVERTER_VERSION } from './clip/convert.ts';
import { CONVERTER_VERSION as HAILO_CONVERTER_VERSION } from './clip/hailo/convert.ts';
import { filesIn } from './clip/hailo/files.ts';
import type { HailoClipLoadOptions } from './clip/hailo/model.ts';
import type {
  Classified,
  ClassifyInput,
  ClipLoadOptions,
  EmbeddedImages,
  EmbeddedTextList,
} from './clip/model.ts';
import { LABEL_PLACE } from './clip/prompts.ts';
import type { ResizeMode } from './image/front-end.ts';
import type { PictureLimits } from './image/picture.ts';
import type {
  Classification,
  ClassifyRequest,
  Embeddings,
  EmbedImagesRequest,
  EmbedTextsRequest,
  VisionModel,
  VisionRequest,
  VisionService,
} from './service.ts';

export interface VisionDefaults {
  /** What no name stands for. */
  readonly model: string;
  readonly computeType: ComputeType;
  /** Install a model of the catalogue at its first request. */
  readonly autoPull: boolean;
  readonly threads: number;
  readonly limits: PictureLimits;
  readonly resize: ResizeMode;
  readonly textCacheEntries: number;
  /** In place of the models' own. */
  readonly logitScale: number | undefined;
  readonly hailo: HailoClipLoadOptions['hailo'];
  keepAliveSeconds(name: ResolvedName): number;
}

export interface VisionParts {
  readonly engine: Engine;
  readonly store: Store;
  readonly defaults: VisionDefaults;
  /** Writes the graphs of the checkpoint in `source` into `target`, away from this process. */
  convert(
    source: string,
    target: string,
    options: { kind: VisionKind; computeType: ComputeType; signal: AbortSignal | undefined },
  ): Promise<void>;
}

export interface PrepareOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: PullProgress) => void) | undefined;
  /** Called once before the graphs are made, which takes seconds. */
  readonly onConvert?: (() => void) | undefined;
}

export interface PreparedModel {
  /** Full name, with the compute type. */
  readonly name: string;
  /** The name of its weights. */
  readonly base: string;
  /** Changes with the weights, and with how they are run: embeddings of one key may be compared. */
  readonly key: string;
}

export interface PreparingVisionService extends VisionService {
  /** Installs and converts a model, so that its next request only loads it. */
  prepare(name: string | undefined, options?: PrepareOptions): Promise<PreparedModel>;
  /** Loads a model, so that its next request only runs. */
  warm(name: string | undefined, signal: AbortSignal): Promise<void>;
}

/** Looking for a model on the disk takes milliseconds, which matter beside 20 of an image; what was removed is missed so much later. */
const RECENT_MS = 1000;
const MOST_RECENT = 100;

interface FoundModel {
  readonly spec: LoadSpec;
  readonly resolved: ResolvedName;
  readonly atMs: number;
}

const CONVERTER_VERSIONS: Readonly<Record<VisionKind, number>> = {
  clip: CONVERTER_VERSION,
  'clip-hailo': HAILO_CONVERTER_VERSION,
};

const CAPABILITIES = ['classify', 'embed_image', 'embed_text'];

export function createVisionService(parts: VisionParts): PreparingVisionService {
  const { engine, store, defaults } = parts;

  async function resolve(name: string | undefined): Promise<ResolvedName> {
    const wanted = name ?? defaults.model;
    const { computeType } = defaults;
    const resolved = await store.resolve(wanted, {
      defaultModel: defaults.model,
      computeType,
      kinds: VISION_KINDS,
    });
    if (isVisionKind(resolved.entry.kind) || !isKnown(resolved)) return resolved;
    throw notVision(resolved);
  }

  async function loadSpec(asked: ResolvedName, options: PrepareOptions): Promise<LoadSpec & { key: string }> {
    const installed = (await store.find(asked.base)) ?? (await store.pull(asked.base, options));
    const { kind, files } = installed.manifest;
    if (!isVisionKind(kind)) throw notVision(asked);
    // What a repository of the hub holds is known now.
    const resolved = asked.entry.kind === kind ? asked : await resolve(asked.name);
    const { name, base, computeType, entry } = resolved;
    const { signal } = options;
    // Not only of the weights: what pictures are made to is part of the graphs.
    const key = `v${CONVERTER_VERSIONS[kind]}-${hashOfFiles(files).slice(0, 16)}`;
    const graphs = await store.conversion({
      model: base,
      variant: computeType,
      key,
      signal,
      build: (directory) => {
        options.onConvert?.();
        return parts.convert(installed.directory, directory, { kind, computeType, signal });
      },
    });
    const { threads, limits, resize, textCacheEntries, hailo } = defaults;
    const shared = { graphs, threads, limits, resize, textCacheEntries } satisfies ClipLoadOptions;
    const device =
      kind === 'clip-hailo' ? await deviceOf(filesIn(installed.directory).image, hailo) : undefined;
    return {
      key: `${computeType}-${key}`,
      model: name,
      kind,
      directory: installed.directory,
      ...(device === undefined ? {} : { device }),
      options: kind === 'clip-hailo' ? ({ ...shared, hailo } satisfies HailoClipLoadOptions) : shared,
      memoryBytes: estimateMemoryBytes(entry, computeType),
    };
  }

  /** A request may install what the catalogue knows, and nothing else: a client must not choose what a server downloads. */
  async function requireInstallable(resolved: ResolvedName): Promise<void> {
    // What came with Percept needs no download.
    if (resolved.entry.isBundled) return;
    if (!defaults.autoPull || !isKnown(resolved)) await store.require(resolved.base);
  }

  const recent = new Map<string, FoundModel>();

  async function find(name: string, signal: AbortSignal): Promise<FoundModel> {
    const known = recent.get(name);
    if (known !== undefined && performance.now() - known.atMs < RECENT_MS) return known;
    const resolved = await resolve(name);
    await requireInstallable(resolved);
    const spec = await loadSpec(resolved, { signal });
    const found = { spec, resolved, atMs: performance.now() };
    // Spellings of one name are many.
    if (recent.size >= MOST_RECENT) recent.clear();
    recent.set(name, found);
    return found;
  }

  interface Called<Output> {
    readonly output: Output;
    readonly model: string;
    readonly seconds: number;
  }

  async function call<Output>(
    { model, keepAliveSeconds }: VisionRequest,
    { method, input }: { readonly method: string; readonly input: unknown },
    signal: AbortSignal,
  ): Promise<Called<Output>> {
    const { spec, resolved } = await find(model ?? defaults.model, signal);
    const lease = { signal, keepAliveSeconds: keepAliveSeconds ?? defaults.keepAliveSeconds(resolved) };
    return engine.use(spec, lease, async (loaded) => {
      const begun = performance.now();
      const output = (await loaded.call(method, input, { signal })) as Output;
      return { output, model: spec.model, seconds: (performance.now() - begun) / 1000 };
    });
  }

  async function classify(request: ClassifyRequest, signal: AbortSignal): Promise<Classification> {
    checkClassify(request);
    const { images, labels, templates } = request;
    const input: ClassifyInput = {
      images,
      labels,
      templates,
      topK: request.topK ?? labels.length,
      threshold: request.threshold ?? 0,
      logitScale: request.logitScale ?? defaults.logitScale,
    };
    const { output, ...called } = await call<Classified>(request, { method: 'classify', input }, signal);
    return { ...called, rankings: output.rankings, images: images.length, texts: output.texts };
  }

  async function embedImages(request: EmbedImagesRequest, signal: AbortSignal): Promise<Embeddings> {
    const { images } = request;
    requireSome('images', images);
    const method = { method: 'embedImages', input: images };
    const { output, ...called } = await call<EmbeddedImages>(request, method, signal);
    const { embeddings } = output;
    const texts = { hits: 0, misses: 0 };
    return {
      ...called,
      embeddings,
      dimension: embeddings[0]!.length,
      tokens: 0,
      images: images.length,
      texts,
    };
  }

  async function embedTexts(request: EmbedTextsRequest, signal: AbortSignal): Promise<Embeddings> {
    requireSome('texts', request.texts);
    const method = { method: 'embedTexts', input: request.texts };
    const { output, ...called } = await call<EmbeddedTextList>(request, method, signal);
    const { embeddings, tokens, texts } = output;
    return { ...called, embeddings, dimension: embeddings[0]!.length, tokens, images: 0, texts };
  }

  async function models(): Promise<VisionModel[]> {
    const installed = (await store.list()).filter(({ manifest }) => isVisionKind(manifest.kind));
    const names = new Set(installed.map(({ manifest }) => manifest.name));
    // Models for a device that this machine may not have are listed when somebody has installed them.
    for (const { kind, name, isBundled, vendor } of CATALOGUE)
      if (isVisionKind(kind) && vendor === undefined && (defaults.autoPull || isBundled)) names.add(name);
    return Promise.all([...names].map(async (name) => describe(await resolve(name), installed)));
  }

  return {
    admit: () => engine.admit(),
    classify,
    embedImages,
    embedTexts,
    models,
    async model(name) {
      const resolved = await resolve(name);
      await requireInstallable(resolved);
      return describe(resolved, await store.list());
    },
    async prepare(name, options = {}) {
      const resolved = await resolve(name);
      const { model, key } = await loadSpec(resolved, options);
      return { name: model, base: resolved.base, key };
    },
    async warm(name, signal) {
      const resolved = await resolve(name);
      const spec = await loadSpec(resolved, { signal });
      const keepAliveSeconds = defaults.keepAliveSeconds(resolved);
      await engine.use(spec, { signal, keepAliveSeconds }, async () => {});
    },
  };
}

function isKnown({ base }: ResolvedName): boolean {
  return CATALOGUE.some((entry) => entry.name === base);
}

function notVision({ name }: ResolvedName): AppError {
  return new AppError('model_not_found', `${name} is not a model that sees.`, { param: 'model' });
}

function describe(resolved: ResolvedName, installed: readonly InstalledModel[]): VisionModel {
  const { name, base, computeType, entry } = resolved;
  const manifest = installed.find((model) => model.manifest.name === base)?.manifest;
  return {
    name,
    description: `Images and texts in one space, ${base} at ${computeType}`,
    computeType,
    capabilities: CAPABILITIES,
    memoryBytes: estimateMemoryBytes(entry, computeType),
    ownedBy: entry.hub?.split('/')[0] ?? 'local',
    installedAt: manifest === undefined ? undefined : new Date(manifest.installedAt),
  };
}

function checkClassify({ images, labels, templates, topK, threshold }: ClassifyRequest): void {
  requireSome('images', images);
  requireSome('prompts', labels);
  const invalid = (param: string, what: string) => new AppError('invalid_request', what, { param });
  const without = templates.findIndex((template) => !template.includes(LABEL_PLACE));
  if (without >= 0)
    throw invalid(
      `templates[${without}]`,
      `A template needs ${LABEL_PLACE} where the label goes, as in "a photo of a ${LABEL_PLACE}".`,
    );
  if (topK !== undefined && !(Number.isInteger(topK) && topK >= 1))
    throw invalid('top_k', `top_k is expected to be a whole number from 1, got ${topK}.`);
  if (threshold !== undefined && !(threshold >= 0 && threshold <= 1))
    throw invalid('threshold', `threshold is expected to be a number from 0 to 1, got ${threshold}.`);
}

function requireSome(what: string, items: readonly unknown[]): void {
  if (items.length === 0)
    throw new AppError('invalid_request', `There are no ${what}; at least one is needed.`, { param: what });
}
