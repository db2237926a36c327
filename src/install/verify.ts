/** Checks an installed service end to end: its files, its user, its configuration, and whether it really answers. */
import { type AppError, toAppError } from '../base/errors.ts';
import { loadConfig } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import { lstatIfThere } from './disk.ts';
import { type Finding, fail, warn } from './findings.ts';
import { type Layout, layoutOf } from './layout.ts';
import { type InstallRecord, readRecord } from './record.ts';
import type { ServiceKind } from './services.ts';
import { readSettings, readText, SERVICE_ENVIRONMENT, type Settings } from './settings.ts';
import { FILE_CHECKS } from './verify-files.ts';
import { SERVICE_CHECKS } from './verify-service.ts';

export interface VerifyOptions {
  readonly service: ServiceKind;
  readonly root?: string | undefined;
  /** In place of where the configuration says that it listens; an image has no other. */
  readonly url?: string | undefined;
  /** In place of the first of the configuration. */
  readonly apiKey?: string | undefined;
  readonly version: string;
  readonly models: ModelChecker;
  readonly examples: Examples;
  readonly signal: AbortSignal;
  readonly onCheck?: ((check: Check) => void) | undefined;
}

/** The store's side of it, which this room does not know. */
export interface ModelChecker {
  /** Hashes the files of a model in the store of `home`. */
  check(name: string, config: Config, home: string, signal: AbortSignal): Promise<CheckedModel>;
}

export interface CheckedModel {
  /** As the server lists it. */
  readonly name: string;
  readonly state: 'whole' | 'missing' | 'damaged';
  readonly message: string;
  readonly hearsEnglish: boolean;
  /** A toy that surely knows the example picture; of others that is only likely. */
  readonly knowsExample: boolean;
}

/** What a service is asked, and what it should answer. */
export interface Examples {
  readonly recording: { readonly path: string; readonly words: string };
  readonly picture: { readonly path: string; readonly label: string; readonly others: readonly string[] };
}

export interface Check extends Finding {
  readonly name: string;
}

/** What the checks look at. */
export interface Verified {
  readonly service: ServiceKind;
  readonly layout: Layout;
  readonly record: InstallRecord | undefined;
  /** By the YAML; undefined where that cannot be used. */
  readonly settings: Settings | undefined;
  /** What is wrong with the YAML, if anything is. */
  readonly settingsError: AppError | undefined;
  /** What the service has read, as far as it can be known: its JSON, else the YAML, else the defaults of its profile. */
  readonly config: Config;
  readonly options: VerifyOptions;
}

/** Gives one finding or more; none where there is nothing to check. */
export type Rule = (verified: Verified) => Promise<readonly Finding[]>;

/** Whoever does not answer, is somebody else or refuses the key is asked nothing more. */
const LAST_WORDS: ReadonlySet<Finding['id']> = new Set(['no-answer', 'other-program', 'key-refused']);

/** In the order in which one thing needs the other. */
export async function verify(options: VerifyOptions): Promise<readonly Check[]> {
  const verified = await open(options);
  const checks: Check[] = [];
  const tell = (name: string, findings: readonly Finding[]) => {
    for (const finding of findings) {
      checks.push({ name, ...finding });
      options.onCheck?.({ name, ...finding });
    }
  };
  if (!(await isInstalled(verified.layout)) && options.url === undefined) {
    const { name } = options.service;
    tell('installation', [
      fail('not-installed', `${name} is not installed in ${verified.layout.root}.`, name),
    ]);
    return checks;
  }
  const asks = verified.layout.isLive || options.url !== undefined;
  for (const [name, rule] of Object.entries({ ...FILE_CHECKS, ...(asks ? SERVICE_CHECKS : {}) })) {
    const found = await rule(verified).catch((thrown: unknown) => [notSeen(thrown, options.service.name)]);
    tell(name, found);
    if (found.some(({ id }) => LAST_WORDS.has(id))) break;
  }
  return checks;
}

async function open(options: VerifyOptions): Promise<Verified> {
  const { service, root } = options;
  const layout = layoutOf(service.name, root);
  const record = await readRecord(layout).catch(() => undefined);
  let settings: Settings | undefined;
  let settingsError: AppError | undefined;
  try {
    settings = await readSettings(service, { layout, templates: record?.templates ?? [] });
  } catch (thrown) {
    settingsError = isNotAllowed(thrown) ? undefined : toAppError(thrown);
  }
  const config = (await rendered(layout)) ?? settings?.config ?? defaults(service, layout);
  return { service, layout, record, settings, settingsError, config, options };
}

async function rendered(layout: Layout): Promise<Config | undefined> {
  try {
    const text = await readText(layout.onDisk(layout.json));
    if (text === undefined) return undefined;
    return loadConfig({ env: SERVICE_ENVIRONMENT, fileText: { text, path: layout.json }, cwd: layout.data })
      .config;
  } catch {
    // Told of by the checks of the files.
    return undefined;
  }
}

function defaults({ profile }: ServiceKind, { data }: Layout): Config {
  return loadConfig({
    env: SERVICE_ENVIRONMENT,
    flags: { profile, home: data },
    fileText: { text: '', path: '' },
  }).config;
}

async function isInstalled(layout: Layout): Promise<boolean> {
  const parts = await Promise.all(
    [layout.unit, layout.program].map((path) => lstatIfThere(layout.onDisk(path))),
  );
  return parts.some((found) => found !== undefined);
}

function isNotAllowed(thrown: unknown): boolean {
  return ['EACCES', 'EPERM'].includes((thrown as NodeJS.ErrnoException).code ?? '');
}

function notSeen(thrown: unknown, name: string): Finding {
  if (isNotAllowed(thrown))
    return warn('not-seen', `This user may not look: ${(thrown as Error).message}.`, name);
  throw thrown;
}
