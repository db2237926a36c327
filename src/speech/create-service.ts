/** The speech service over the engine and the store: a name becomes installed weights, converted graphs, a leased model, a transcript. */
import { AppError } from '../base/errors.ts';
import type { Engine } from '../engine/engine.ts';
import type { LoadSpec } from '../engine/protocol.ts';
import { CATALOGUE, type ComputeType, estimateMemoryBytes, VOICE_ACTIVITY } from '../store/catalogue.ts';
import type { ResolvedName } from '../store/names.ts';
import type { PullProgress } from '../store/pull.ts';
import type { InstalledModel, Store } from '../store/store.ts';
import type { LiveEvent, LiveInput, LiveRequest, LiveSettings, ResolvedLiveSettings } from './live.ts';
import type { LiveContext, SpeechContext, SpeechModel, SpeechRequest, SpeechService } from './service.ts';
import type { TranscribeEvent, TranscribeOptions, Transcript } from './transcript.ts';
import { CONVERTER_VERSION } from './whisper/convert.ts';
import { LANGUAGES, languageCode } from './whisper/languages.ts';
import type { ListenInput } from './whisper/live.ts';
import type { TranscribeInput, WhisperLoadOptions } from './whisper/model.ts';

/** What the configuration says; the rest is the request's own. */
export type OptionDefaults = Omit<TranscribeOptions, 'task' | 'wordTimestamps'>;

export interface SpeechDefaults {
  /** What `whisper-1` and no name stand for. */
  readonly model: string;
  readonly computeType: ComputeType;
  /** Install a model of the catalogue at its first request. */
  readonly autoPull: boolean;
  readonly threads: number;
  readonly options: OptionDefaults;
  readonly audio: TranscribeInput['audio'];
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
    options: { computeType: ComputeType; signal: AbortSignal | undefined },
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
  /** Loads a model, so that its next request only runs. */
  warm(name: string | undefined, signal: AbortSignal): Promise<void>;
}

export function createSpeechService(parts: SpeechParts): PreparingSpeechService {
  const { engine, store, defaults } = parts;

  async function resolve(name: string | undefined): Promise<ResolvedName> {
    const wanted = name ?? defaults.model;
    const resolved = await store.resolve(wanted, {
      defaultModel: defaults.model,
      computeType: defaults.computeType,
    });
    if (resolved.entry.kind !== 'whisper') {
      throw new AppError('model_not_found', `${wanted} is not a speech recognition model.`, {
        param: 'model',
      });
    }
    return resolved;
  }

  async function install({ base }: ResolvedName, options: PrepareOptions): Promise<InstalledModel> {
    const [found, vad] = [await store.find(base), await store.find(VOICE_ACTIVITY)];
    if (found !== undefined && vad !== undefined) return found;
    // A model that was imported under a name of its own has no source to pull from; its companion has.
    if (found !== undefined) await store.pull(VOICE_ACTIVITY, options);
    return found ?? store.pull(base, options);
  }

  async function loadSpec(resolved: ResolvedName, options: PrepareOptions): Promise<LoadSpec> {
    const installed = await install(resolved, options);
    const vad = await store.require(VOICE_ACTIVITY);
    const { checkpointHash } = installed.manifest;
    const graphs = await store.conversion({
      model: resolved.base,
      variant: resolved.computeType,
      key: `v${CONVERTER_VERSION}-${checkpointHash.slice(0, 16)}`,
      signal: options.signal,
      build: (directory) => {
        options.onConvert?.();
        return parts.convert(installed.directory, directory, {
          computeType: resolved.computeType,
          signal: options.signal,
        });
      },
    });
    return {
      model: resolved.name,
      kind: 'whisper',
      directory: installed.directory,
      options: { graphs, vad: vad.directory, threads: defaults.threads } satisfies WhisperLoadOptions,
      memoryBytes: estimateMemoryBytes(resolved.entry, resolved.computeType),
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
    const spec = await loadSpec(resolved, { signal });
    const input: TranscribeInput = {
      path,
      options: optionsOf(request, defaults.options),
      audio: defaults.audio,
    };
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
    const first: ListenInput = { settings: liveSettings(request, defaults.options) };
    const chunks = resolveSettings(input, defaults.options);
    const spec = await loadSpec(resolved, { signal });
    const lease = { signal, keepAliveSeconds: defaults.keepAliveSeconds(resolved) };
    await engine.use(spec, lease, (model) =>
      model.call('listen', first, { signal, chunks, onEvent: (event) => onEvent(event as LiveEvent) }),
    );
  }

  async function models(): Promise<SpeechModel[]> {
    const installed = (await store.list()).filter(({ manifest }) => manifest.kind === 'whisper');
    const names = new Set(installed.map(({ manifest }) => manifest.name));
    if (defaults.autoPull) for (const entry of CATALOGUE) if (entry.kind === 'whisper') names.add(entry.name);
    return Promise.all([...names].map((name) => describe(name, installed)));
  }

  async function describe(name: string, installed: readonly InstalledModel[]): Promise<SpeechModel> {
    const resolved = await resolve(name);
    const manifest = installed.find((model) => model.manifest.name === resolved.base)?.manifest;
    return {
      name: resolved.name,
      description: `Speech recognition, ${resolved.base} at ${resolved.computeType}`,
      computeType: resolved.computeType,
      languages: resolved.entry.languages === 'multilingual' ? 'multilingual' : 'english',
      memoryBytes: estimateMemoryBytes(resolved.entry, resolved.computeType),
      // Packages of the index carry the hub's weights, so the name there is the owner's; an import is the user's own.
      ownedBy: resolved.entry.hub?.split('/')[0] ?? 'local',
      installedAt: manifest === undefined ? undefined : new Date(manifest.installedAt),
    };
  }

  return {
    admit: () => engine.admit(),
    async check(request) {
      await requireInstallable(await resolve(request.model));
      requireLanguage(request.language);
    },
    transcribe,
    listen,
    models,
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

/** What a request says over what the configuration says. Throws `invalid_request` for an unknown language. */
function optionsOf(request: SpeechRequest, defaults: OptionDefaults): TranscribeOptions {
  const language = requireLanguage(request.language) ?? defaults.language;
  const prompt = request.prompt ?? defaults.prompt;
  return {
    ...defaults,
    task: request.task,
    wordTimestamps: request.wordTimestamps ?? false,
    ...(language === undefined ? {} : { language }),
    ...(prompt === undefined || prompt.trim() === '' ? {} : { prompt }),
    // Who names a beam wants all of it.
    ...(request.beamSize === undefined ? {} : { beamSize: request.beamSize, beamBelowLogprob: 0 }),
    temperatures: request.temperature ? [request.temperature] : defaults.temperatures,
    vad: { ...defaults.vad, ...request.vad },
  };
}

function liveSettings(settings: LiveSettings, defaults: OptionDefaults): ResolvedLiveSettings {
  const { sampleRate, detection, language, prompt } = settings;
  const request = { model: undefined, task: 'transcribe', language, prompt } as const;
  return { sampleRate, detection, options: optionsOf(request, defaults) };
}

async function* resolveSettings(
  input: AsyncIterable<LiveInput>,
  defaults: OptionDefaults,
): AsyncGenerator<LiveInput<ResolvedLiveSettings>> {
  for await (const item of input)
    yield item.type === 'configure' ? { ...item, settings: liveSettings(item.settings, defaults) } : item;
}

function requireLanguage(given: string | undefined): string | undefined {
  if (given === undefined) return undefined;
  const code = languageCode(given);
  if (code !== undefined) return code;
  throw new AppError(
    'invalid_request',
    `Unknown language ${JSON.stringify(given)}. Send an ISO 639-1 code such as en, or leave it out to have it detected. Known: ${Object.keys(LANGUAGES).join(', ')}.`,
    { param: 'language' },
  );
}
