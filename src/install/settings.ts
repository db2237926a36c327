/** The operator's YAML to what the service reads: checked by the schema first, so that nothing is installed that could not start. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { AppError } from '../base/errors.ts';
import type { Environment } from '../config/environment.ts';
import { listKeys } from '../config/keys.ts';
import { loadConfig } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import { textLayer } from '../config/sources.ts';
import type { Layout } from './layout.ts';
import { readRecord } from './record.ts';
import type { ServiceKind } from './services.ts';
import { templateOf } from './template.ts';
import { UNIT_ENVIRONMENT } from './unit.ts';

/** The configuration is read as the service will read it: what the operator has at home, or in the shell, is nothing to it. */
export const SERVICE_ENVIRONMENT: Environment = { HOME: '/nonexistent', ...UNIT_ENVIRONMENT };

export interface Settings {
  /** What /etc/hailo/<name>.yaml holds, or is about to. */
  readonly yaml: string;
  /** The operator has changed it, or it was there before any installation: it is never written to. */
  readonly isEdited: boolean;
  readonly config: Config;
  /** What /etc/xdg/<name>/<name>.json is to hold. */
  readonly json: string;
  readonly hasSecrets: boolean;
}

/** `templates` are the hashes of `record.ts`. Throws `invalid_config`, naming the key and the file. */
export async function readSettings(
  service: ServiceKind,
  { layout, templates }: { readonly layout: Layout; readonly templates: readonly string[] },
): Promise<Settings> {
  const found = await readText(layout.onDisk(layout.yaml));
  const template = templateOf(service);
  const isEdited = found !== undefined && ![hashOf(template), ...templates].includes(hashOf(found));
  const yaml = isEdited ? found : template;
  return { yaml, isEdited, ...render({ text: yaml, path: layout.yaml }, { service, layout }) };
}

/** Whether what lies there is the operator's own. If the record cannot be read, it counts as that. */
export async function isYamlEdited(service: ServiceKind, layout: Layout): Promise<boolean> {
  const found = await readText(layout.onDisk(layout.yaml));
  const record = await readRecord(layout).catch(() => undefined);
  const known = [hashOf(templateOf(service)), ...(record?.templates ?? [])];
  return found !== undefined && !known.includes(hashOf(found));
}

/** Undefined where there is no such file. */
export async function readText(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
    throw error;
  });
}

export function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** Only what the file sets, and what is fixed: other defaults follow the machine and the version that runs. */
function render(
  file: { readonly text: string; readonly path: string },
  { service, layout }: { readonly service: ServiceKind; readonly layout: Layout },
): Pick<Settings, 'config' | 'json' | 'hasSecrets'> {
  const keys = listKeys();
  const layer = textLayer(file, keys);
  const fixed = { profile: service.profile, home: layout.data };
  for (const [key, value] of Object.entries(fixed)) {
    const written = layer.get(key)?.value;
    if (written === undefined || written === value) continue;
    throw new AppError(
      'invalid_config',
      `${key} (${file.path}): the service ${service.name} has ${value}, got ${JSON.stringify(written)}. Remove the line${key === 'home' ? `; to keep data on another disk, mount it at ${layout.data}` : ''}.`,
      { param: key },
    );
  }
  const { config } = loadConfig({ env: SERVICE_ENVIRONMENT, flags: fixed, fileText: file, cwd: layout.data });
  const values = new Map([
    ...Object.entries(fixed),
    ...[...layer].map(([key, { value }]) => [key, value] as const),
  ]);
  const secrets = keys.filter(({ secret, path }) => secret && !isEmpty(values.get(path)));
  return { config, json: `${JSON.stringify(nested(values), null, 2)}\n`, hasSecrets: secrets.length > 0 };
}

function isEmpty(value: unknown): boolean {
  return value === undefined || value === null || (Array.isArray(value) && value.length === 0);
}

interface Group {
  [name: string]: unknown;
}

/** `server.port` to `{ server: { port } }`. */
function nested(values: ReadonlyMap<string, unknown>): Group {
  const top: Group = {};
  for (const [path, value] of values) {
    const names = path.split('.');
    let group = top;
    for (const name of names.slice(0, -1)) {
      group[name] ??= {};
      group = group[name] as Group;
    }
    group[names.at(-1)!] = value;
  }
  return top;
}
