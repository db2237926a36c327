/** A service as the checks of it see it. */
import { type AppError, toAppError } from '../base/errors.ts';
import { loadConfig } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import type { Finding } from './findings.ts';
import { type Layout, layoutOf } from './layout.ts';
import { type InstallRecord, readRecord } from './record.ts';
import type { ServiceKind } from './services.ts';
import { readSettings, readText, SERVICE_ENVIRONMENT, type Settings } from './settings.ts';

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
  /** The default model; its files are hashed once for all checks. */
  model(): Promise<CheckedModel>;
}

/** Gives one finding or more; none where there is nothing to check. */
export type Rule = (verified: Verified) => Promise<readonly Finding[]>;

/** Looks at what can be looked at; what cannot is told of by the checks. */
export async function openService(options: VerifyOptions): Promise<Verified> {
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
  const { models, signal } = options;
  let checked: Promise<CheckedModel> | undefined;
  const model = () => {
    checked ??= models.check(service.defaultModel(config), config, layout.onDisk(layout.data), signal);
    return checked;
  };
  return { service, layout, record, settings, settingsError, config, options, model };
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

export function isNotAllowed(thrown: unknown): boolean {
  return ['EACCES', 'EPERM'].includes((thrown as NodeJS.ErrnoException).code ?? '');
}
