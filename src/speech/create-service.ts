/** The speech service over the engine and the store: a name becomes installed weights, converted graphs, a leased model, a transcript. */
import type { HailoOptions } from '../backends/hailo/contract.ts';
import { AppError } from '../base/errors.ts';
import type { Engine } from '../engine/engine.ts';
import type { LoadSpec } from '../engine/protocol.ts';
import { CATALOGUE, estimateMemoryBytes, VOICE_ACTIVITY } from '../store/catalogue.ts';
import {
  type CatalogueKind,
  type ComputeType,
  isSpeechKind,
  type SpeechKind,
} from '../store/catalogue-entry.ts';
import { hashOfFiles } from '../store/manifest.ts';
import type { ResolvedName } from '../store/names.ts';
import type { PullProgress } from '../store/pull.ts';
import type { InstalledModel, Store } from '../store/store.ts';
import type { AudioSettings, LiveBackend, SpeechBackend } from './backend.ts';
import { type ChunkFormerDefaults, createChunkFormerBackend } from './chunkformer/serving.ts';
import type { LiveEvent, LiveInput, LiveRequest } from './live.ts';
import type {
  CheckRequest,
  LiveContext,
  SpeechContext,
  SpeechModel,
  SpeechRequest,
  SpeechService,
  SpeechVersion,
} from './service.ts';
import type { TranscribeEvent, Transcript } from './transcript.ts';
import { createHailoWhisperBackend } from './whisper/hailo/serving.ts';
import { createWhisperBackend, type WhisperDefaults } from './whisper/serving.ts';

export interface SpeechDefaults {
  /** What `whisper-1` and no name stand for. */
  readonly model: string;
  readonly computeType: ComputeType;
  /** Install a model of the catalogue at its first request. */
  readonly autoPull: boolean;
  readonly threads: number;
  readonly whisper: WhisperDefaults;
  readonly chunkFormer: ChunkFormerDefaults;
  readonly audio: AudioSettings;
  readonly hailo: HailoOptions;
  keepAliveSeconds(name: ResolvedName): number;
}

export interface SpeechParts {
  readonly engine: Engine;
  readonly store: Store;
  readonly defaults: SpeechDefaults;
  /** Writes the graphs of the checkpoint in `source` into `target`, away from this process. */
  convert(
    source: string,
    target: string,
    options: { kind: SpeechKind; computeType: ComputeType; signal: AbortSignal | undefined },
  ): Promise<void>;
}

export interface PrepareOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: PullProgress) => void) | undefined;
  /** Called once before the graphs are made, which takes seconds. */
  readonly onConvert?: (() => void) | undefined;
}

export interface PreparingSpeechService extends SpeechService {
  /** Installs and converts a model, so that its next request only loads it. Gives its full name. */
  prepare(name: string | undefined, options?: PrepareOptions): Promise<string>;
  /** Installs the model as `transcribe` would; throws as it does before it hears anything. */
  version(request: SpeechRequest, signal: AbortSignal): Promise<SpeechVersion>;
  /** Loads a model, so that its next request only runs. */
  warm(name: string | undefined, signal: AbortSignal): Promise<void>;
}

interface AskedFor extends ResolvedName {
  readonly backend: SpeechBackend;
}

export function createSpeechService(parts: SpeechParts): PreparingSpeechService {
  const { engine, store, defaults } = parts;
  const backends: Readonly<Record<SpeechKind, SpeechBackend>> = {
    whisper: createWhisperBackend(defaults.whisper, defaults.audio),
    'whisper-hailo': createHailoWhisperBackend(defaults.whisper, defaults),
    chunkformer: createChunkFormerBackend(defaults.chunkFormer, defaults.audio),
  };

  async function resolve(name: string | undefined): Promise<AskedFor> {
    const wanted = name ?? defaults.model;
    const resolved = await store.resolve(wanted, {
      defaultModel: defaults.model,
      computeType: defaults.computeType,
    });
    return { ...resolved, backend: backendOf(resolved.entry.kind, wanted) };
  }

  function backendOf(kind: CatalogueKind, name: string): SpeechBackend {
    if (isSpeechKind(kind)) return backends[kind];
    throw new AppError('model_not_found', `${name} is not a speech recognition model.`, { param: 'model' });
  }

  /** The installed model; `vad` where it is loaded with that. */
  async function install(
    { name, base }: ResolvedName,
    options: PrepareOptions,
  ): Promise<{ readonly installed: InstalledModel; readonly vad: InstalledModel | undefined }> {
    // Pulling it pulls its companions.
    const installed = (await store.find(base)) ?? (await store.pull(base, options));
    if (!backendOf(installed.manifest.kind, name).needsVoiceActivity) return { installed, vad: undefined };
    // A model that was imported under a name of its own has no source to pull from; its companion has.
    return {
      installed,
      vad: (await store.find(VOICE_ACTIVITY)) ?? (await store.pull(VOICE_ACTIVITY, options)),
    };
  }

  async function loadSpec(asked: AskedFor, options: PrepareOptions): Promise<LoadSpec> {
    const { installed, vad } = await install(asked, options);
    const { files } = installed.manifest;
    const { name, base, computeType, entry, backend } = await resolveInstalled(asked, installed);
    const { kind, converterVersion } = backend;
    const graphs = await store.conversion({
      model: base,
      variant: computeType,
      // Not only of the weights: sizes and statistics come from the small files beside them.
      key: `v${converterVersion}-${hashOfFiles(files).slice(0, 16)}`,
      signal: options.signal,
      build: (directory) => {
        options.onConvert?.();
        const { signal } = options;
        return parts.convert(installed.directory, directory, { kind, computeType, signal });
      },
    });
    const device = await backend.device?.(installed);
    return {
      model: name,
      kind,
      directory: installed.directory,
      ...(device === undefined ? {} : { device }),
      options: backend.loadOptions({ entry, graphs, vad: vad?.directory, threads: defaults.threads }),
      memoryBytes: estimateMemoryBytes(entry, computeType),
    };
  }

  /** What a repository of the hub holds is known once it is installed. */
  async function resolveInstalled(asked: AskedFor, { manifest }: InstalledModel): Promise<AskedFor> {
    return manifest.kind === asked.backend.kind ? asked : resolve(asked.base);
  }

  async function version(request: SpeechRequest, signal: AbortSignal): Promise<SpeechVersion> {
    const asked = await resolve(request.model);
    await requireInstallable(asked);
    const { installed } = await install(asked, { signal });
    const resolved = await resolveInstalled(asked, installed);
    return {
      backend: resolved.backend.kind,
      model: resolved.name,
      directory: installed.directory,
      checkpointHash: installed.manifest.checkpointHash,
      computeType: resolved.computeType,
      decoding: resolved.backend.decoding(request, resolved),
    };
  }

  /** A request may install what the catalogue knows, and nothing else: a client must not choose what a server downloads. */
  async function requireInstallable(resolved: ResolvedName): Promise<void> {
    const isKnown = CATALOGUE.some((entry) => entry.name === resolved.base);
    if (!defaults.autoPull || !isKnown) await store.require(resolved.base);
  }

  async function transcribe(
    path: string,
    request: SpeechRequest,
    context: SpeechContext,
  ): Promise<Transcript> {
    const resolved = await resolve(request.model);
    await requireInstallable(resolved);
    const { signal } = context;
    const input = resolved.backend.transcribeInput(path, request, resolved);
    const spec = await loadSpec(resolved, { signal });
    const keepAliveSeconds = request.keepAliveSeconds ?? defaults.keepAliveSeconds(resolved);
    const onEvent = (event: unknown) => context.onEvent?.(event as TranscribeEvent);
    return engine.use(spec, { signal, keepAliveSeconds }, async (model) => {
      return (await model.call('transcribe', input, { signal, onEvent })) as Transcript;
    });
  }

  async function listen(
    input: AsyncIterable<LiveInput>,
    request: LiveRequest,
    { signal, onEvent }: LiveContext,
  ): Promise<void> {
    const resolved = await resolve(request.model);
    await requireInstallable(resolved);
    const live = requireLive(resolved);
    const first = live.input(request);
    const chunks = live.chunks(input);
    const spec = await loadSpec(resolved, { signal });
    const lease = { signal, keepAliveSeconds: defaults.keepAliveSeconds(resolved) };
    await engine.use(spec, lease, (model) =>
      model.call('listen', first, { signal, chunks, onEvent: (event) => onEvent(event as LiveEvent) }),
    );
  }

  async function models(): Promise<SpeechModel[]> {
    const installed = (await store.list()).filter(({ manifest }) => isSpeechKind(manifest.kind));
    const names = new Set(installed.map(({ manifest }) => manifest.name));
    // Models for a device that this machine may not have are listed when somebody has installed them.
    const offered = CATALOGUE.filter(({ kind, vendor }) => isSpeechKind(kind) && vendor === undefined);
    if (defaults.autoPull) for (const { name } of offered) names.add(name);
    return Promise.all([...names].map((name) => describe(name, installed)));
  }

  async function describe(name: string, installed: readonly InstalledModel[]): Promise<SpeechModel> {
    const resolved = await resolve(name);
    const manifest = installed.find((model) => model.manifest.name === resolved.base)?.manifest;
    return {
      name: resolved.name,
      description: `Speech recognition, ${resolved.base} at ${resolved.computeType}`,
      computeType: resolved.computeType,
      backend: resolved.backend.kind,
      capabilities: resolved.backend.capabilities(resolved.entry),
      memoryBytes: estimateMemoryBytes(resolved.entry, resolved.computeType),
      // Packages of the index carry the hub's weights, so the name there is the owner's; an import is the user's own.
      ownedBy: resolved.entry.hub?.split('/')[0] ?? 'local',
      installedAt: manifest === undefined ? undefined : new Date(manifest.installedAt),
    };
  }

  return {
    admit: () => engine.admit(),
    async check(request: CheckRequest) {
      const resolved = await resolve(request.model);
      await requireInstallable(resolved);
      if (request.isLive === true) requireLive(resolved);
      resolved.backend.check(request, resolved);
    },
    transcribe,
    listen,
    models,
    version,
    async model(name) {
      const resolved = await resolve(name);
      await requireInstallable(resolved);
      return describe(resolved.name, await store.list());
    },
    async prepare(name, options = {}) {
      return (await loadSpec(await resolve(name), options)).model;
    },
    async warm(name, signal) {
      const resolved = await resolve(name);
      const spec = await loadSpec(resolved, { signal });
      await engine.use(
        spec,
        { signal, keepAliveSeconds: defaults.keepAliveSeconds(resolved) },
        async () => {},
      );
    },
  };
}

function requireLive({
  name,
  backend,
}: {
  readonly name: string;
  readonly backend: SpeechBackend;
}): LiveBackend {
  if (backend.live !== undefined) return backend.live;
  throw new AppError(
    'invalid_request',
    `${name} transcribes recordings and does not listen live. Take a Whisper model, such as whisper-1.`,
    { param: 'model' },
  );
}
