/** The composition root: makes every room from the configuration and hands each what it needs of the others. */
import { join } from 'node:path';
import type { Logger } from './base/logger.ts';
import { type Environment, proxySettings } from './config/environment.ts';
import type { Config } from './config/schema.ts';
import { convertInProcess } from './convert.ts';
import { createEngine, type Engine } from './engine/engine.ts';
import type { LanguageService } from './language/service.ts';
import {
  createSpeechService,
  type PreparingSpeechService,
  type SpeechDefaults,
  type SpeechParts,
} from './speech/create-service.ts';
import { openStore, type Store } from './store/store.ts';

export interface App {
  readonly config: Config;
  readonly store: Store;
  readonly engine: Engine;
  readonly speech: PreparingSpeechService;
  /** Undefined where no engine of language models is put together. */
  readonly language: LanguageService | undefined;
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
    env: { ...RETURNED_MEMORY, ...childEnvironment(env) },
  });
  const convert: SpeechParts['convert'] = (source, target, work) =>
    convertInProcess(source, target, { ...work, env: childEnvironment(env) });
  const speech = createSpeechService({
    store,
    engine,
    defaults: speechDefaults(config),
    convert,
  });
  return {
    config,
    store,
    engine,
    speech,
    language: undefined,
    async close({ timeoutMs }) {
      await engine.close({ timeoutMs });
      await store.close();
    },
  };
}

/**
 * For glibc: large pieces of memory go back to the system when they are freed, where it would keep ever larger ones for later, and threads
 * share one heap: 70 MB less of whisper-base on a long recording, at the same speed.
 */
const RETURNED_MEMORY: Environment = { MALLOC_MMAP_THRESHOLD_: '131072', MALLOC_ARENA_MAX: '1' };

/** The collector looks after young objects more often: 25 MB less, at the same speed, as most memory of a model process is outside of its heap. */
const MODEL_PROCESS_FLAGS = ['--max-semi-space-size=2'];

/** Our processes need the machine's variables, but none of ours: no key or token is passed on. */
function childEnvironment(env: Environment): Environment {
  return Object.fromEntries(
    Object.entries(env).filter(([name]) => !name.startsWith('PERCEPT_') && name !== 'HF_TOKEN'),
  );
}

function speechDefaults({ home, models, speech, chunkformer, audio, offline }: Config): SpeechDefaults {
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
    keepAliveSeconds: ({ name, base }) =>
      models.keepAliveByModel[name] ?? models.keepAliveByModel[base] ?? models.keepAlive,
  };
}
