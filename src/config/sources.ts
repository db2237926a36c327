/** Where values come from: command line, environment, one file, pip's own configuration. Each becomes a `Layer`. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse as parseYaml } from 'yaml';
import { AppError } from '../base/errors.ts';
import type { Environment } from './environment.ts';
import { type ConfigKey, SHORTHANDS } from './keys.ts';
import { configFolders, userHome } from './machine.ts';
import { checkValue, fromText, type Layer, unknownKey } from './values.ts';

/** Values of command line options by key path; an undefined one is not set. */
export type Flags = Readonly<Record<string, unknown>>;

export interface FileText {
  /** For messages. */
  readonly path: string;
  readonly text: string;
}

export function flagLayer(flags: Flags, keys: readonly ConfigKey[]): Layer {
  const layer = new Map<string, { value: unknown; origin: string }>();
  for (const [path, given] of Object.entries(flags)) {
    if (given === undefined) continue;
    const key = keys.find((candidate) => candidate.path === path);
    if (!key) throw unknownKey(path, 'command line', pathsOf(keys));
    const value = typeof given === 'string' ? fromText(key, given) : given;
    layer.set(path, { value: checkValue(key, value, 'command line'), origin: 'command line' });
  }
  return layer;
}

/** An empty variable counts as unset, since a compose file cannot leave one out. */
export function environmentLayer(env: Environment, keys: readonly ConfigKey[]): Layer {
  const layer = new Map<string, { value: unknown; origin: string }>();
  for (const [variable, path] of variableNames(keys)) {
    const text = env[variable];
    const key = keys.find((candidate) => candidate.path === path);
    if (!text || !key) continue;
    layer.set(path, { value: checkValue(key, fromText(key, text), variable), origin: variable });
  }
  refuseUnknownVariables(env, keys);
  return layer;
}

/** The named file, or else the first that exists in the XDG configuration folders; an empty layer when there is none. */
export function fileLayer(
  where: { readonly configFile?: string; readonly env: Environment; readonly profile: string },
  keys: readonly ConfigKey[],
): Layer {
  const candidates = where.configFile ? [where.configFile] : standardFiles(where.env, where.profile);
  for (const path of candidates) {
    const text = readIfPresent(path);
    if (text !== undefined) return textLayer({ text, path }, keys);
  }
  if (where.configFile) {
    throw new AppError('invalid_config', `The configuration file ${where.configFile} does not exist.`);
  }
  return new Map();
}

/** The keys that the text of a YAML or JSON file sets. Throws `invalid_config`, naming the key and the path. */
export function textLayer({ text, path }: FileText, keys: readonly ConfigKey[]): Layer {
  let content: unknown;
  try {
    // JSON is read by the same parser: it is a subset of YAML 1.2.
    content = parseYaml(text, { prettyErrors: true }) ?? {};
  } catch (cause) {
    throw new AppError('invalid_config', `${path} is not valid YAML: ${(cause as Error).message}`, { cause });
  }
  const layer = new Map<string, { value: unknown; origin: string }>();
  collect(content, [], (parents, value) => {
    const name = parents.join('.');
    const key = keys.find((candidate) => candidate.path === name);
    if (key) {
      layer.set(name, { value: checkValue(key, value, path), origin: path });
      return 'done';
    }
    if (!keys.some((candidate) => name === '' || candidate.path.startsWith(`${name}.`))) {
      throw unknownKey(name, path, pathsOf(keys));
    }
    if (value !== null && (typeof value !== 'object' || Array.isArray(value))) {
      throw new AppError('invalid_config', `${name || 'The file'} (${path}): expected a group of keys.`);
    }
    return 'descend';
  });
  return layer;
}

/** `index-url` of pip.conf: whoever has a mirror of the package index has named it there already. */
export function pipLayer(env: Environment): Layer {
  const folders = [...configFolders(env)].map((folder) => join(folder, 'pip/pip.conf'));
  const candidates = [
    env['PIP_CONFIG_FILE'],
    ...folders,
    join(userHome(env), '.pip/pip.conf'),
    '/etc/pip.conf',
  ];
  for (const path of candidates) {
    const text = path ? readIfPresent(path) : undefined;
    const url = text && /^\[global\][^[]*?^index[-_]url\s*[=:]\s*(https?:\/\/\S+)/ms.exec(text)?.[1];
    if (url) return new Map([['sources.index_url', { value: url, origin: path! }]]);
  }
  return new Map();
}

/** Shorthands come first so that the full name, set later, wins. */
function variableNames(keys: readonly ConfigKey[]): (readonly [variable: string, path: string])[] {
  return [...Object.entries(SHORTHANDS), ...keys.map((key) => [key.variable, key.path] as const)];
}

function refuseUnknownVariables(env: Environment, keys: readonly ConfigKey[]): void {
  const known = [...new Set(variableNames(keys).map(([variable]) => variable))];
  for (const [variable, value] of Object.entries(env)) {
    if (value === undefined || !variable.startsWith('PERCEPT_') || variable.startsWith('PERCEPT_TEST_'))
      continue;
    if (!known.includes(variable)) throw unknownKey(variable, 'environment', known);
  }
}

function standardFiles(env: Environment, profile: string): string[] {
  return configFolders(env).flatMap((folder) => [
    ...(profile === 'all' ? [] : [join(folder, profile, `${profile}.json`)]),
    join(folder, 'percept/percept.yaml'),
    join(folder, 'percept/percept.json'),
  ]);
}

function collect(
  value: unknown,
  parents: readonly string[],
  visit: (parents: readonly string[], value: unknown) => 'done' | 'descend',
): void {
  if (visit(parents, value) === 'done' || value === null) return;
  for (const [name, child] of Object.entries(value as object)) collect(child, [...parents, name], visit);
}

function pathsOf(keys: readonly ConfigKey[]): string[] {
  return keys.map((key) => key.path);
}

function readIfPresent(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new AppError('invalid_config', `The configuration file ${path} cannot be read (${code}).`, {
      cause,
    });
  }
}
