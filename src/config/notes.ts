/** What the keys of the configuration are built of: a schema with its description, and the kinds of values that several keys have. */
import { z } from 'zod';
import { GENERATION_SETTINGS } from './generation.ts';
import { KEEP_ALIVE_EXPECTED, parseKeepAlive } from './keep-alive.ts';

export const MIB = 1024 ** 2;
export const GIB = 1024 ** 3;

/** What an operator sees beside a key. A secret is never printed; `fallback` words a default that the machine decides. */
interface KeyNotes {
  readonly secret?: boolean;
  readonly fallback?: string;
}

export function note<S extends z.ZodType>(schema: S, description: string, notes: KeyNotes = {}): S {
  return schema.meta({ description, ...notes });
}

/** Null where it is not set: whoever generates decides between the model's own value and ours. */
export function setting(name: keyof typeof GENERATION_SETTINGS) {
  const { min, max, whole, fallback, description } = GENERATION_SETTINGS[name];
  const range = (whole ? z.int() : z.number()).min(min).max(max);
  return note(range.nullable().default(null), description, { fallback: `the model’s own, else ${fallback}` });
}

export function bytes(min: number) {
  return z.int().min(min);
}

/** Seconds, at most what a timer of Node can hold. */
export function seconds(min: number) {
  return z.number().min(min).max(2_000_000);
}

export function httpUrl() {
  return z.url({ protocol: /^https?$/, error: 'expected an http or https URL' });
}

export function keepAlive() {
  return z.union([z.number(), z.string()]).transform((value, context) => {
    try {
      return parseKeepAlive(value);
    } catch {
      context.addIssue({ code: 'custom', message: `expected ${KEEP_ALIVE_EXPECTED}` });
      return z.NEVER;
    }
  });
}
