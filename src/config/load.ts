import { isAbsolute, join, resolve } from 'node:path';
import { AppError } from '../base/errors.ts';
import type { Environment } from './environment.ts';
import { type ConfigKey, listKeys } from './keys.ts';
import { defaultHome, defaultMemoryBudgetBytes, defaultThreads, userHome } from './machine.ts';
import { type Config, configSchema } from './schema.ts';
import {
  environmentLayer,
  type FileText,
  type Flags,
  fileLayer,
  flagLayer,
  pipLayer,
  textLayer,
} from './sources.ts';
import type { Layer } from './values.ts';

export interface LoadOptions {
  /** From `readEnvironment()`; a test gives its own. */
  readonly env: Environment;
  /** Command line values by key path, such as `{'server.port': '8080'}`; text or already typed. */
  readonly flags?: Flags;
  /** `--config`; without it the XDG configuration folders are searched. */
  readonly configFile?: string;
  /** The content of a configuration file that is not to be read from its path: one that is about to be written. */
  readonly fileText?: FileText;
  /** What relative paths are relative to; the working directory of the process unless given. */
  readonly cwd?: string;
}

export interface LoadedConfig {
  readonly config: Config;
  /** Key path to where its value was set: a variable, a file, `command line`, `profile maie` or `default`. */
  readonly origins: ReadonlyMap<string, string>;
}

/**
 * Resolves every key: command line, then environment, then one file, then the profile, then the built-in default.
 * Throws `invalid_config` for an unknown key or a value that does not fit, wherever it stands, even if it is overruled.
 */
export function loadConfig(options: LoadOptions): LoadedConfig {
  const { env, flags = {}, configFile, fileText, cwd = process.cwd() } = options;
  const keys = listKeys();
  const given = [flagLayer(flags, keys), environmentLayer(env, keys)];
  const chosen = String(find(given, 'profile')?.value ?? 'all');
  const file = { ...(configFile ? { configFile: resolve(cwd, configFile) } : {}), env, profile: chosen };
  given.push(fileText ? textLayer(fileText, keys) : fileLayer(file, keys), pipLayer(env));
  const profile = String(find(given, 'profile')?.value ?? 'all');
  const layers = [...given, profileLayer(profile), machineLayer(env)];

  const raw: RawGroup = {};
  const origins = new Map<string, string>();
  for (const key of keys) {
    const found = find(layers, key.path);
    origins.set(key.path, found?.origin ?? 'default');
    assign(raw, key, found?.value);
  }
  const config = configSchema.parse(raw);
  config.home = absolute(config.home, { env, cwd });
  for (const [model, path] of Object.entries(config.language.templateFile))
    config.language.templateFile[model] = absolute(path, { env, cwd });
  const { tasks, pipeline } = config;
  tasks.directory = absolute(tasks.directory || join(config.home, 'audio'), { env, cwd });
  pipeline.templatesDirectory = absolute(pipeline.templatesDirectory || join(config.home, 'templates'), {
    env,
    cwd,
  });
  requireLease(tasks);
  requireBucket(tasks);
  if (config.models.threads === 0) config.models.threads = defaultThreads();
  return { config: deepFreeze(config), origins };
}

/** Fewer heartbeats would take a task from a worker that was late once. */
function requireLease({ leaseSeconds, heartbeatSeconds }: Config['tasks']): void {
  if (leaseSeconds >= 3 * heartbeatSeconds) return;
  throw new AppError(
    'invalid_config',
    `tasks.lease_seconds is ${leaseSeconds} and tasks.heartbeat_seconds ${heartbeatSeconds}; expected a lease of at least three heartbeats.`,
    { param: 'tasks.lease_seconds' },
  );
}

function requireBucket({ recordings, s3 }: Config['tasks']): void {
  if (recordings !== 's3' || s3.bucket !== null) return;
  throw new AppError(
    'invalid_config',
    'tasks.recordings is s3, but tasks.s3.bucket is not set. Name a bucket that exists.',
    { param: 'tasks.s3.bucket' },
  );
}

/** What a seed's service expects where nothing else is said. */
function profileLayer(profile: string): Layer {
  const byProfile: Record<string, Readonly<Record<string, unknown>>> = {
    'hailo-whisper': { 'models.speech': 'whisper-small-int8' },
    'hailo-clip': { 'server.port': 5000 },
    maie: { 'server.port': 8000 },
  };
  const origin = `profile ${profile}`;
  return new Map(Object.entries(byProfile[profile] ?? {}).map(([path, value]) => [path, { value, origin }]));
}

function machineLayer(env: Environment): Layer {
  const origin = 'default';
  return new Map<string, { value: unknown; origin: string }>([
    ['home', { value: defaultHome(env), origin }],
    ['models.memory_budget_bytes', { value: defaultMemoryBudgetBytes(), origin }],
  ]);
}

function find(layers: readonly Layer[], path: string) {
  return layers.find((layer) => layer.has(path))?.get(path);
}

interface RawGroup {
  [name: string]: unknown;
}

/** Groups are made even for unset keys, so that the schema can fill its defaults in. */
function assign(raw: RawGroup, key: ConfigKey, value: unknown): void {
  let group = raw;
  for (const name of key.codePath.slice(0, -1)) {
    group[name] ??= {};
    group = group[name] as RawGroup;
  }
  if (value !== undefined) group[key.codePath.at(-1)!] = value;
}

function absolute(path: string, base: { readonly env: Environment; readonly cwd: string }): string {
  if (path === '~' || path.startsWith('~/')) return join(userHome(base.env), path.slice(1));
  return isAbsolute(path) ? path : resolve(base.cwd, path);
}

function deepFreeze<T extends object>(value: T): T {
  for (const child of Object.values(value))
    if (typeof child === 'object' && child !== null) deepFreeze(child);
  return Object.freeze(value);
}
