/** Text fields of a multipart form to a typed value, by a zod schema whose keys are the fields. */
import { z } from 'zod';
import { AppError } from '../base/errors.ts';
import { KEEP_ALIVE_EXPECTED, parseKeepAlive } from '../config/keep-alive.ts';

/** Throws `invalid_request` naming the field: unknown, given twice, or of the wrong form. */
export function parseForm<S extends z.ZodObject>(
  fields: ReadonlyMap<string, readonly string[]>,
  schema: S,
): z.output<S> {
  const values: Record<string, unknown> = {};
  for (const [name, texts] of fields) {
    if (!Object.hasOwn(schema.shape, name)) {
      const known = Object.keys(schema.shape).join(', ');
      throw new AppError('invalid_request', `Unknown field "${name}". The fields are: ${known}.`, {
        param: name,
      });
    }
    const isList = unwrap(schema.shape[name] as z.ZodType) instanceof z.ZodArray;
    if (!isList && texts.length > 1) {
      throw new AppError(
        'invalid_request',
        `The field "${name}" is given ${texts.length} times; once is expected.`,
        { param: name },
      );
    }
    values[name] = isList ? texts : texts[0];
  }
  const parsed = schema.safeParse(values);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const param = String(issue!.path[0] ?? '');
  throw new AppError('invalid_request', `The field "${param}" is not valid: ${issue!.message}.`, { param });
}

/**
 * An object that came as fields of their own, `name[key]`, as OpenAI's SDKs send it, becomes one field `name` of JSON, which is
 * how curl sends it.
 */
export function joinObjectField(
  fields: ReadonlyMap<string, readonly string[]>,
  name: string,
): ReadonlyMap<string, readonly string[]> {
  const joined = new Map<string, readonly string[]>();
  const members = new Map<string, unknown>();
  for (const [field, texts] of fields) {
    const key = field.startsWith(`${name}[`) && /^\[(\w+)\]$/.exec(field.slice(name.length))?.[1];
    if (!key) joined.set(field, texts);
    else members.set(key, texts.length === 1 ? fromText(texts[0]!) : texts);
  }
  if (members.size === 0) return fields;
  const text = JSON.stringify(Object.fromEntries(members));
  return joined.set(name, [...(joined.get(name) ?? []), text]);
}

/** Numbers lose their type in a form. */
function fromText(text: string): string | number {
  return text.trim() === '' || Number.isNaN(Number(text)) ? text : Number(text);
}

function unwrap(schema: z.ZodType): z.ZodType {
  return schema instanceof z.ZodOptional || schema instanceof z.ZodDefault
    ? unwrap(schema.unwrap() as z.ZodType)
    : schema;
}

/** A number written as text, within bounds. */
export function numberField(bounds: {
  readonly min: number;
  readonly max: number;
  readonly whole?: boolean;
}) {
  const expected = `expected a ${bounds.whole ? 'whole ' : ''}number from ${bounds.min} to ${bounds.max}`;
  return z
    .string()
    .refine((text) => {
      const value = Number(text);
      if (text.trim() === '' || !Number.isFinite(value) || (bounds.whole && !Number.isInteger(value)))
        return false;
      return value >= bounds.min && value <= bounds.max;
    }, expected)
    .transform(Number);
}

export function booleanField() {
  return z
    .enum(['true', 'false', '1', '0'], { error: 'expected true or false' })
    .transform((text) => text === 'true' || text === '1');
}

/** Seconds, "5m" or -1; gives seconds. */
export function keepAliveField() {
  return z.string().transform((text, context) => {
    try {
      return parseKeepAlive(text);
    } catch {
      context.addIssue({ code: 'custom', message: `expected ${KEEP_ALIVE_EXPECTED}` });
      return z.NEVER;
    }
  });
}
