/** Answers by models of the store, each in a process of its own. */
import { join } from 'node:path';
import { AppError } from '../base/errors.ts';
import type { Engine } from '../engine/engine.ts';
import type { LoadSpec } from '../engine/protocol.ts';
import { CATALOGUE, estimateMemoryBytes } from '../store/catalogue.ts';
import { hashOfFiles } from '../store/manifest.ts';
import type { ResolvedName } from '../store/names.ts';
import type { PullProgress } from '../store/pull.ts';
import type { InstalledModel, Store } from '../store/store.ts';
import type { AnswerSource, SourceContext, SourcedAnswer } from './answer-source.ts';
import type { GenerateRequest } from './generation.ts';
import type { LanguageLoadOptions, Measured, MeasureInput, WriteInput, Written } from './model.ts';
import { type ModelFacts, readModelFacts } from './model-facts.ts';
import type { LanguageModel, MeasureRequest, PromptMeasure } from './service.ts';
import { requestLayer, resolveSettings, type SettingsLayer } from './settings.ts';

export interface EmbeddedDefaults {
  /** What no name stands for. */
  readonly model: string;
  /** Install a model of the catalogue at its first request. */
  readonly autoPull: boolean;
  readonly threads: number;
  readonly contextTokens: number;
  readonly sequences: number;
  readonly gpu: 'auto' | 'off';
  /** Chat templates by model name. */
  readonly templateFiles: Readonly<Record<string, string>>;
  /** What the configuration says of drawing tokens. */
  readonly settings: SettingsLayer;
  keepAliveSeconds(name: ResolvedName): number;
}

export interface EmbeddedParts {
  readonly engine: Engine;
  readonly store: Store;
  readonly defaults: EmbeddedDefaults;
}

export interface PrepareOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: PullProgress) => void) | undefined;
}

export interface EmbeddedModels extends AnswerSource {
  /** Installs a model, so that its next request only loads it. Gives its full name. */
  prepare(name: string | undefined, options?: PrepareOptions): Promise<string>;
}

const CAPABILITIES = ['chat', 'structured_output', 'tools'];

export function createEmbedded({ engine, store, defaults }: EmbeddedParts): EmbeddedModels {
  /** Read once for the weights that lie there. */
  const known = new Map<string, Promise<ModelFacts>>();

  async function resolve(name: string | undefined): Promise<ResolvedName> {
    const resolved = await store.resolve(name ?? defaults.model, {
      defaultModel: defaults.model,
      computeType: 'int8',
      kinds: ['llm'],
    });
    if (resolved.entry.kind === 'llm' || !isKnown(resolved)) return resolved;
    throw new AppError('model_not_found', `${resolved.name} is not a language model.`, { param: 'model' });
  }

  function isKnown({ base }: ResolvedName): boolean {
    return CATALOGUE.some((entry) => entry.name === base);
  }

  async function install(resolved: ResolvedName, options: PrepareOptions): Promise<InstalledModel> {
    const installed = (await store.find(resolved.base)) ?? (await store.pull(resolved.base, options));
    if (installed.manifest.kind === 'llm') return installed;
    throw new AppError('model_not_found', `${resolved.name} is not a language model.`, { param: 'model' });
  }

  /** A request may install what the catalogue knows, and nothing else: a client must not choose what a server downloads. */
  async function requireInstallable(resolved: ResolvedName): Promise<void> {
    if (!defaults.autoPull || !isKnown(resolved)) await store.require(resolved.base);
  }

  function factsOf(installed: InstalledModel): Promise<ModelFacts> {
    // Not only of the weights: what stands beside them may have been imported anew.
    const key = `${installed.directory} ${hashOfFiles(installed.manifest.files)}`;
    const facts = known.get(key) ?? readModelFacts(installed);
    known.set(key, facts);
    facts.catch(() => known.delete(key));
    return facts;
  }

  function loadSpec(resolved: ResolvedName, installed: InstalledModel, facts: ModelFacts): LoadSpec {
    const { threads, contextTokens, sequences, gpu, templateFiles } = defaults;
    return {
      model: resolved.name,
      kind: 'llm',
      directory: installed.directory,
      options: {
        weights: join(installed.directory, weightsOf(installed)),
        threads,
        contextTokens,
        sequences,
        gpu,
        template: facts.template,
        templateFile: templateFiles[resolved.name],
      } satisfies LanguageLoadOptions,
      memoryBytes: memoryOf(resolved, installed),
    };
  }

  async function ready(name: string | undefined, signal: AbortSignal) {
    const resolved = await resolve(name);
    await requireInstallable(resolved);
    const installed = await install(resolved, { signal });
    return { resolved, installed, facts: await factsOf(installed) };
  }

  async function measure(
    { model: name, messages, keepAliveSeconds }: MeasureRequest,
    signal: AbortSignal,
  ): Promise<PromptMeasure> {
    const { resolved, installed, facts } = await ready(name, signal);
    const input: MeasureInput = { messages };
    const measured = await engine.use(
      loadSpec(resolved, installed, facts),
      { signal, keepAliveSeconds: keepAliveSeconds ?? defaults.keepAliveSeconds(resolved) },
      async (model) => (await model.call('measure', input, { signal })) as Measured,
    );
    return { ...measured, isEstimate: false };
  }

  async function answer(request: GenerateRequest, context: SourceContext): Promise<SourcedAnswer> {
    const { demand, seed, signal, streams, onText } = context;
    const asked = requestLayer(request.settings);
    const { resolved, installed, facts } = await ready(request.model, signal);
    const { settings } = resolveSettings([asked, defaults.settings, ...facts.layers]);
    const input: WriteInput = {
      messages: request.messages,
      tools: demand.tools,
      constraint: demand.constraint,
      settings,
      mayShorten: !asked.has('maxTokens'),
      stop: request.stop ?? [],
      seed,
      thinking: request.thinking === true,
      streams,
    };
    const keepAliveSeconds = request.keepAliveSeconds ?? defaults.keepAliveSeconds(resolved);
    const onEvent = (event: unknown) => onText(event as string);
    const written = await engine.use(
      loadSpec(resolved, installed, facts),
      { signal, keepAliveSeconds },
      async (model) => (await model.call('generate', input, { signal, onEvent })) as Written,
    );
    const { promptTokens, cachedTokens, completionTokens } = written;
    return {
      model: resolved.name,
      text: written.text,
      calls: written.calls,
      isCut: written.reason === 'length',
      usage: { promptTokens, cachedTokens, completionTokens },
      versions: {
        model: resolved.name,
        engine: 'embedded',
        checkpointHash: installed.manifest.checkpointHash,
        quantization: facts.description.quantization,
        templateHash: written.templateHash,
        settings: written.settings,
        seed,
      },
    };
  }

  async function models(): Promise<LanguageModel[]> {
    const installed = (await store.list()).filter(({ manifest }) => manifest.kind === 'llm');
    const names = new Set(installed.map(({ manifest }) => manifest.name));
    if (defaults.autoPull) for (const { kind, name } of CATALOGUE) if (kind === 'llm') names.add(name);
    return Promise.all([...names].map(async (name) => describe(await resolve(name), installed)));
  }

  function describe(resolved: ResolvedName, installed: readonly InstalledModel[]): LanguageModel {
    const found = installed.find(({ manifest }) => manifest.name === resolved.base);
    return {
      name: resolved.name,
      description: `Language model, ${Math.round(resolved.entry.parameters / 1e6)} million parameters`,
      engine: 'embedded',
      capabilities: CAPABILITIES,
      memoryBytes: memoryOf(resolved, found),
      ownedBy: resolved.entry.hub?.split('/')[0] ?? 'local',
      installedAt: found === undefined ? undefined : new Date(found.manifest.installedAt),
    };
  }

  return {
    answer,
    measure,
    models,
    async model(name) {
      const resolved = await resolve(name);
      await requireInstallable(resolved);
      return describe(resolved, await store.list());
    },
    async prepare(name, options = {}) {
      const resolved = await resolve(name);
      await install(resolved, options);
      return resolved.name;
    },
  };
}

/** llama.cpp finds the other parts beside the first. */
function weightsOf({ manifest }: InstalledModel): string {
  return manifest.files
    .map(({ path }) => path)
    .filter((path) => /\.gguf$/i.test(path))
    .sort()[0]!;
}

function memoryOf({ entry }: ResolvedName, installed: InstalledModel | undefined): number {
  const sizeBytes = installed?.manifest.files.reduce((sum, file) => sum + file.sizeBytes, 0);
  return estimateMemoryBytes(
    { ...entry, kind: 'llm', downloadBytes: sizeBytes ?? entry.downloadBytes },
    'int8',
  );
}
