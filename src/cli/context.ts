/** What a command is given: where it may write, when to stop, and the rooms it may open. Made once, in `main.ts`. */
import type { Readable } from 'node:stream';
import type { Command } from 'commander';
import { type Environment, proxySettings } from '../config/environment.ts';
import { type LoadedConfig, loadConfig } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import type { Flags } from '../config/sources.ts';
import type { Engine } from '../engine/engine.ts';
import type { IntelligenceService } from '../intelligence/service.ts';
import type { LanguageService } from '../language/service.ts';
import type { PreparingSpeechService } from '../speech/create-service.ts';
import { openStore, type Store } from '../store/store.ts';
import type { PreparingVisionService } from '../vision/create-service.ts';

/** Standard output or error; a test's own collects what is written. */
export interface Output {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
}

export interface CliContext {
  /** Sound, where a command listens; only such a command may touch it. */
  readonly stdin: Readable;
  /** Results, and nothing else. */
  readonly stdout: Output;
  /** Progress and remarks. */
  readonly stderr: Output;
  /** Fires when the user interrupts. */
  readonly signal: AbortSignal;
  /** The configuration under the global options of the command line and a command's own flags. */
  loadConfig(flags?: Flags): LoadedConfig;
  /** To be closed by the command. */
  openStore(config: Config): Store;
  /** Everything that speech needs, in this process; to be closed by the command. */
  openSpeech(config: Config): SpeechApp;
  /** Everything that language models need, in this process; to be closed by the command. */
  openLanguage(config: Config): LanguageApp;
  /** Everything that vision models need, in this process; to be closed by the command. */
  openVision(config: Config): VisionApp;
  /** The queue of recordings and all that works on it, in this process; to be closed by the command. `work` keeps a log. */
  openTasks(config: Config, options?: { readonly work?: boolean }): Promise<TasksApp>;
  /** Starts the HTTP server; to be stopped by the command. */
  startService(config: Config): Promise<RunningService>;
  /** The command goes on, but has failed: the process ends with exit code 1. */
  fail(): void;
}

export interface SpeechApp {
  readonly store: Store;
  readonly speech: PreparingSpeechService;
  readonly engine: Pick<Engine, 'state' | 'unload'>;
  close(options: { readonly timeoutMs: number }): Promise<void>;
}

export interface LanguageApp {
  readonly language: LanguageService;
  close(options: { readonly timeoutMs: number }): Promise<void>;
}

export interface VisionApp {
  readonly store: Store;
  readonly vision: PreparingVisionService;
  close(options: { readonly timeoutMs: number }): Promise<void>;
}

export interface TasksApp {
  readonly intelligence: IntelligenceService;
  /** Takes tasks and runs them, until it is stopped; what runs then is given back. */
  startWork(): Promise<{ stop(): Promise<void> }>;
  close(options: { readonly timeoutMs: number }): Promise<void>;
}

export interface RunningService {
  readonly url: string;
  stop(): Promise<void>;
}

/** What only `main.ts` can give, since it needs the rooms above. */
type Given = Pick<
  CliContext,
  | 'stdin'
  | 'stdout'
  | 'stderr'
  | 'signal'
  | 'openSpeech'
  | 'openLanguage'
  | 'openVision'
  | 'openTasks'
  | 'startService'
  | 'fail'
>;

export interface ContextParts extends Given {
  /** Carries the global options; read when a command runs. */
  readonly program: Command;
  readonly env: Environment;
}

/** Adds the options that every command understands. */
export function addGlobalOptions(program: Command): Command {
  return program
    .option('--config <file>', 'configuration file to use in place of the standard ones')
    .option('--data-dir <directory>', 'data directory (models, caches)')
    .option('--offline', 'never touch a network');
}

export function createContext({ program, env, ...outputs }: ContextParts): CliContext {
  return {
    ...outputs,
    loadConfig(flags = {}) {
      const { config, dataDir, offline } = program.opts<{
        config?: string;
        dataDir?: string;
        offline?: true;
      }>();
      return loadConfig({
        env,
        flags: { home: dataDir, offline, ...flags },
        ...(config === undefined ? {} : { configFile: config }),
      });
    },
    openStore: (config) =>
      openStore({
        home: config.home,
        offline: config.offline,
        sources: config.sources,
        proxy: proxySettings(env),
      }),
  };
}
