/** Raw values of one source, checked key by key so that an error names the key and where it was written. */
import { AppError } from '../base/errors.ts';
import { nearestNames } from '../base/nearest.ts';
import { hidePassword } from '../base/url.ts';
import type { ConfigKey } from './keys.ts';

/** What one source sets: key path to raw value and origin, such as `PERCEPT_PORT` or `/etc/xdg/percept/percept.yaml`. */
export type Layer = ReadonlyMap<string, { readonly value: unknown; readonly origin: string }>;

/** The raw value, if the key's schema takes it. Throws `invalid_config`; a secret's value is never shown. */
export function checkValue(key: ConfigKey, value: unknown, origin: string): unknown {
  const parsed = key.schema.safeParse(value);
  if (parsed.success) return value;
  const got = key.secret
    ? 'a value that does not fit (not shown: it is a secret)'
    : shorten(hidePassword(JSON.stringify(value)));
  throw new AppError('invalid_config', `${key.path} (${origin}): expected ${key.expected}, got ${got}.`, {
    param: key.path,
  });
}

/** A value written as text (environment, command line) in the type of its key; unreadable text stays text and is refused. */
export function fromText(key: ConfigKey, text: string): unknown {
  const trimmed = text.trim();
  switch (key.type) {
    case 'number':
      return asNumber(trimmed);
    case 'boolean':
      return asBoolean(trimmed);
    case 'numbers':
      return asList(trimmed).map(asNumber);
    case 'texts':
      return asList(trimmed);
    case 'map':
      return asJson(trimmed);
    case 'text':
      return text;
    default:
      return key.type satisfies never;
  }
}

export function unknownKey(name: string, origin: string, known: readonly string[]): AppError {
  const near = nearestNames(name, known);
  const hint = near.length > 0 ? ` Did you mean ${near.join(' or ')}?` : '';
  return new AppError('invalid_config', `Unknown configuration key ${name} (${origin}).${hint}`, {
    param: name,
  });
}

function asNumber(text: string): number | string {
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : text;
}

function asBoolean(text: string): boolean | string {
  if (/^(1|true|yes|on)$/i.test(text)) return true;
  if (/^(0|false|no|off)$/i.test(text)) return false;
  return text;
}

/** `a, b` or a JSON list. */
function asList(text: string): string[] {
  const parsed = text.startsWith('[') ? asJson(text) : undefined;
  if (Array.isArray(parsed)) return parsed.map(String);
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}

function asJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function shorten(text: string): string {
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}
