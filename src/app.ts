/** The composition root: makes every room from the configuration and hands each what it needs of the others. */
import { join } from 'node:path';
import { bridgePlaces } from './backends/hailo/bridge-places.ts';
import type { HailoOptions } from './backends/hailo/contract.ts';
import type { Logger } from './base/logger.ts';
import { type Environment, NO_TELEMETRY, proxySettings } from './config/environment.ts';
import type { Config } from './config/schema.ts';
import { type ConversionOptions, convertInProcess } from './convert.ts';
import { createEngine, type Engine } from './engine/engine.ts';
import type { AnswerSource } from './language/answer-source.ts';
import { createLanguageService } from './language/create-service.ts';
import { createEmbedded } from './language/embedded.ts';
import { createExternal } from './language/external.ts';
import { openExternalEngine } from './language/external-engine.ts';
import { createSchemaCompiler } from './language/schema/schema-compiler.ts';
import type { MeasuringLanguageService } from './language/service.ts';
import { configLayer } from './language/settings.ts';
import {
  createSpeechService,
  type PreparingSpeechService,
  type SpeechDefaults,
} from './speech/create-service.ts';
import type { ResolvedName } from './store/names.ts';
import { openStore, type Store } from './store/store.ts';
import {
  createVisionService,
  type PreparingVisionService,
  type VisionDefaults,
} from './vision/create-service.ts';

export interface App {
  readonly config: Config;
  readonly store: Store;
  readonly engine: Engine;
  readonly speech: PreparingSpeechService;
  readonly language: MeasuringLanguageService;
  readonly vision: PreparingVisionService;
  /** Ends model processes and downloads; what still runs is rejected after `timeoutMs`. */
  close(options: { readonly timeoutMs: number }): Promise<void>;
}

export interface AppOptions {
  readonly config: Config;
  readonly env: Environment;
  readonly logger: Logger;
}

/** Starts nothing: processes begin with the first request, downloads with the first model asked for. */
export function createApp({ config, env, logger }: AppOptions): App {
  const store = openStore({
    home: config.home,
    offline: config.offline,
    sources: config.sources,
    proxy: proxySettings(env),
    logger,
  });
  const engine = createEngine({
    entry: new URL('./model-process.js', import.meta.url),
    execArgv: MODEL_PROCESS_FLAGS,
    limits: {
      maxLoaded: config.models.maxLoaded,
      memoryBudgetBytes: config.models.memoryBudgetBytes,
      loadTimeoutMs: config.models.loadTimeoutSeconds * 1000,
      queueDepth: config.queue.maxDepth,
      waitTimeoutMs: config.queue.waitTimeoutSeconds * 1000,
    },
    keepAliveDefaultSeconds: config.models.keepAlive,
    logger,
    env: { ...RETURNED_MEMORY, ...ONE_POOL_THREAD, ...childEnvironment(env) },
    envByKind: {
      clip: decodingThreads(config),
      'clip-hailo': { ...DEVICE_CALLS, ...HAILO_QUIET },
      'whisper-hailo': { ...DEVICE_CALLS, ...HAILO_QUIET },
    },
  });
  const convert = (source: string, target: string, work: Omit<ConversionOptions, 'env'>) =>
    convertInProcess(source, target, { ...work, env: childEnvironment(env) });
  const speech = createSpeechService({
    store,
    engine,
    defaults: speechDefaults(config),
    convert,
  });
  const vision = createVisionService({ store, engine, defaults: visionDefaults(config), convert });
  const compiler = createSchemaCompiler({ timeoutMs: SCHEMA_TIMEOUT_MS });
  const source = answerSource(config, { store, engine });
  const language = createLanguageService({ engine, source, compiler });
  return {
    config,
    store,
    engine,
    speech,
    language,
    vision,
    async close({ timeoutMs }) {
      await engine.close({ timeoutMs });
      await compiler.close();
      await store.close();
    },
  };
}

/**
 * For glibc: large pieces of memory go back to the system when they are freed, where it would keep ever larger ones for later, and threads
 * share one heap: 70 MB less of whisper-base on a long recording, at the same speed.
 */
const RETURNED_MEMORY: Environment = { MALLOC_MMAP_THRESHOLD_: '131072', MALLOC_ARENA_MAX: '1' };

/**
 * llama.cpp computes in a thread of Node's pool and starts helpers for each token; where the pool has several threads the system puts them on one
 * core again and again, and two threads are slower than one (docs/benchmarks.md).
 */
const ONE_POOL_THREAD: Environment = { UV_THREADPOOL_SIZE: '1' };

/** Pictures are decoded in threads of that pool, one for each core. */
function decodingThreads({ models }: Config): Environment {
  return { UV_THREADPOOL_SIZE: String(models.threads) };
}

/** Calls that wait for the device hold a thread of that pool each. */
const DEVICE_CALLS: Environment = { UV_THREADPOOL_SIZE: '8' };

/** The library would write a log into the working directory. */
const HAILO_QUIET: Environment = { HAILORT_LOGGER_PATH: 'NONE' };

/** Compiling a schema, or checking a value; what takes longer is made to. */
const SCHEMA_TIMEOUT_MS = 1500;

/** The collector looks after young objects more often: 25 MB less, at the same speed, as most memory of a model process is outside of its heap. */
const MODEL_PROCESS_FLAGS = ['--max-semi-space-size=2'];

/** Our processes need the machine's variables, but none of ours: no key or token is passed on. */
function childEnvironment(env: Environment): Environment {
  const passed = Object.entries(env).filter(([name]) => !name.startsWith('PERCEPT_') && name !== 'HF_TOKEN');
  return { ...Object.fromEntries(passed), ...NO_TELEMETRY };
}

function answerSource(config: Config, { store, engine }: Pick<App, 'store' | 'engine'>): AnswerSource {
  const { models, language, offline } = config;
  const settings = configLayer({ config, origins: new Map() });
  if (language.engine === 'external')
    return createExternal(openExternalEngine(language), {
      model: models.language,
      settings,
      contextTokens: language.contextTokens,
    });
  return createEmbedded({
    store,
    engine,
    defaults: {
      model: models.language,
      autoPull: models.autoPull && !offline,
      threads: models.threads,
      contextTokens: language.contextTokens,
      sequences: language.sequences,
      gpu: language.gpu,
      templateFiles: language.templateFile,
      settings,
      keepAliveSeconds: keepAliveOf(models),
    },
  });
}

/** By the name with its compute type, else by that of the weights. */
function keepAliveOf({ keepAliveByModel, keepAlive }: Config['models']) {
  return ({ name, base }: ResolvedName) => keepAliveByModel[name] ?? keepAliveByModel[base] ?? keepAlive;
}

function speechDefaults({
  home,
  models,
  speech,
  chunkformer,
  audio,
  hailo,
  offline,
}: Config): SpeechDefaults {
  return {
    model: models.speech,
    computeType: models.computeType,
    autoPull: models.autoPull && !offline,
    threads: models.threads,
    audio: {
      ffmpeg: audio.ffmpeg,
      timeoutMs: audio.decodeTimeoutSeconds * 1000,
      memoryBytes: audio.memoryBytes,
      directory: join(home, 'uploads'),
    },
    chunkFormer: {
      settings: {
        chunkSize: chunkformer.chunkSize,
        leftContextSize: chunkformer.leftContextSize,
        rightContextSize: chunkformer.rightContextSize,
        totalBatchDuration: chunkformer.totalBatchDuration,
      },
      mergesRepeats: chunkformer.mergeRepeats,
      maxDurationSeconds: audio.maxDurationSeconds,
    },
    whisper: {
      ...(speech.language === null ? {} : { language: speech.language }),
      ...(speech.prompt === null ? {} : { prompt: speech.prompt }),
      temperatures: speech.temperatures,
      beamSize: speech.beamSize,
      conditionOnPreviousText: speech.conditionOnPreviousText,
      compressionRatioThreshold: speech.compressionRatioThreshold,
      logprobThreshold: speech.logprobThreshold,
      noSpeechThreshold: speech.noSpeechThreshold,
      vad: speech.vad,
      batchSize: speech.batchSize,
      maxDurationSeconds: audio.maxDurationSeconds,
    },
    hailo: hailoOptions({ home, hailo }),
    keepAliveSeconds: keepAliveOf(models),
  };
}

function hailoOptions({ home, hailo }: Pick<Config, 'home' | 'hailo'>): HailoOptions {
  const { library, bridge, groupId, multiProcessService, timeoutSeconds } = hailo;
  const bridges = bridgePlaces(home, bridge);
  return { library, bridges, groupId, multiProcessService, timeoutMs: timeoutSeconds * 1000 };
}

function visionDefaults({ home, models, vision, hailo, offline }: Config): VisionDefaults {
  return {
    model: models.vision,
    computeType: models.computeType,
    autoPull: models.autoPull && !offline,
    threads: models.threads,
    limits: {
      maxPixels: vision.maxImagePixels,
      maxFrames: vision.maxImageFrames,
      decodeTimeoutSeconds: vision.decodeTimeoutSeconds,
    },
    resize: vision.resize,
    textCacheEntries: vision.textCacheEntries,
    logitScale: vision.logitScale ?? undefined,
    hailo: { ...hailoOptions({ home, hailo }), textEncoder: hailo.textEncoder },
    keepAliveSeconds: keepAliveOf(models),
  };
}
