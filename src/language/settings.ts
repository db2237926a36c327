/**
 * Who decides each setting of a generation: the request, the environment, the file, the model's own makers, Percept; the first that
 * says a value. Each is asked for by itself, so that a request for a temperature leaves the model's `top_p` as it is.
 */
import { isAbsolute } from 'node:path';
import { AppError } from '../base/errors.ts';
import { GENERATION_SETTINGS, type SettingRange } from '../config/generation.ts';
import { toSnake } from '../config/keys.ts';
import type { LoadedConfig } from '../config/load.ts';
import type { GenerateRequest, GenerationSettings } from './generation.ts';

export type SettingName = keyof GenerationSettings;

/** A value that fits the range of its setting, with who said it: `request`, a variable, `FILE: KEY`. */
export interface SettingSource {
  readonly value: number;
  readonly origin: string;
}

/** What one of them says; the rest falls through to the next. */
export type SettingsLayer = ReadonlyMap<SettingName, SettingSource>;

export interface ResolvedSettings {
  readonly settings: GenerationSettings;
  readonly origins: Readonly<Record<SettingName, string>>;
}

const RANGES: Readonly<Record<SettingName, SettingRange>> = GENERATION_SETTINGS;
export const SETTING_NAMES = Object.keys(RANGES) as SettingName[];

/** The first layer wins, setting by setting: request, configuration (`configLayer`), the model's (`readModelFacts`). */
export function resolveSettings(layers: readonly SettingsLayer[]): ResolvedSettings {
  const chosen = SETTING_NAMES.map((name) => {
    const fallback: SettingSource = { value: RANGES[name].fallback, origin: 'library default' };
    return [name, layers.find((layer) => layer.has(name))?.get(name) ?? fallback] as const;
  });
  return {
    settings: Object.fromEntries(chosen.map(([name, { value }]) => [name, value])) as Record<
      SettingName,
      number
    >,
    origins: Object.fromEntries(chosen.map(([name, { origin }]) => [name, origin])) as Record<
      SettingName,
      string
    >,
  };
}

/** What a request says. Throws `invalid_request` with the setting in the spelling of requests: `top_p`. */
export function requestLayer(settings: GenerateRequest['settings'] = {}): SettingsLayer {
  const layer = new Map<SettingName, SettingSource>();
  for (const name of SETTING_NAMES) {
    const value = settings[name];
    if (value === undefined) continue;
    if (!fits(name, value)) {
      const param = toSnake(name);
      throw new AppError('invalid_request', `${param} is expected to be ${expected(name)}, got ${value}.`, {
        param,
      });
    }
    layer.set(name, { value, origin: 'request' });
  }
  return layer;
}

/** What the environment or else the file sets; the configuration has decided between them and checked it. */
export function configLayer({ config, origins }: LoadedConfig): SettingsLayer {
  const layer = new Map<SettingName, SettingSource>();
  for (const name of SETTING_NAMES) {
    const key = `language.${toSnake(name)}`;
    const value = config.language[name];
    const origin = origins.get(key) ?? 'configuration';
    if (value !== null) layer.set(name, { value, origin: isAbsolute(origin) ? `${origin}: ${key}` : origin });
  }
  return layer;
}

/** Whether something that was written as a setting can be it. */
export function fits(name: SettingName, value: unknown): value is number {
  const { min, max, whole } = RANGES[name];
  const isNumber = typeof value === 'number' && value >= min && value <= max;
  return isNumber && (!whole || Number.isInteger(value));
}

/** In words: `a number from 0 to 2`. */
export function expected(name: SettingName): string {
  const { min, max, whole } = RANGES[name];
  return `a ${whole ? 'whole number' : 'number'} from ${min} to ${max}`;
}
