/** Bodies of JSON: bytes to a value when they arrive, a value to a typed request by a zod schema in the route. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { AppError, type ErrorCode } from '../base/errors.ts';
import { nearestNames } from '../base/nearest.ts';
import { KEEP_ALIVE_EXPECTED, parseKeepAlive } from '../config/keep-alive.ts';
import { scanJson } from './json-scan.ts';

/** Longer names are shown cut, and nothing near them is looked for. */
const MAX_SHOWN_NAME = 64;

/** JSON is the only body that is read whole; forms come in parts. Its limit is the server's `bodyLimit`. */
export function acceptJson(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) => {
    try {
      done(null, readJson(body as Buffer));
    } catch (error) {
      done(error as Error);
    }
  });
}

function readJson(body: Buffer): unknown {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch (cause) {
    throw new AppError('invalid_request', 'The body is not UTF-8, which JSON has to be.', { cause });
  }
  scanJson(text);
  try {
    return JSON.parse(text);
  } catch (cause) {
    // The parser's own message quotes the body.
    throw new AppError('invalid_request', 'The body is not valid JSON.', { cause });
  }
}

/** Throws `unsupported_media_type`, or `invalid_request` (where the schema says so `unsupported_parameter`) naming the field: `messages[0].content`. */
export function parseJson<S extends z.ZodType>(request: FastifyRequest, schema: S): z.output<S> {
  if (!/^application\/json\s*(;|$)/i.test(request.headers['content-type'] ?? '')) {
    throw new AppError(
      'unsupported_media_type',
      'The body must be JSON, with the header "content-type: application/json".',
    );
  }
  const parsed = schema.safeParse(request.body);
  if (parsed.success) return parsed.data;
  throw toError(deepest(parsed.error.issues[0]!), schema);
}

interface Issue {
  readonly code?: string | undefined;
  readonly message: string;
  readonly path: readonly PropertyKey[];
  readonly keys?: readonly string[];
  readonly errors?: readonly (readonly Issue[])[];
  readonly params?: { readonly code?: ErrorCode } | undefined;
}

/** Of the forms that a value may have, the one that it came closest to says what is wrong. */
function deepest(issue: Issue, before: readonly PropertyKey[] = []): Issue {
  const here = { ...issue, path: [...before, ...issue.path] };
  const inner = (issue.errors ?? []).flatMap(([first]) => (first ? [deepest(first, here.path)] : []));
  const [best] = inner.sort((a, b) => b.path.length - a.path.length);
  return best !== undefined && best.path.length > here.path.length ? best : here;
}

function toError(issue: Issue, schema: z.ZodType): AppError {
  const { code, keys, path, message, params } = issue;
  if (code === 'unrecognized_keys') return unknownField(keys![0]!, path, schema);
  const param = spell(path);
  if (param === '') return new AppError('invalid_request', `The body is not valid: ${message}.`);
  const isUnsupported = params?.code === ('unsupported_parameter' satisfies ErrorCode);
  const what = isUnsupported ? 'supported' : 'valid';
  const text = `The field "${param}" is not ${what}: ${message}.`;
  return new AppError(isUnsupported ? 'unsupported_parameter' : 'invalid_request', text, { param });
}

function unknownField(name: string, path: readonly PropertyKey[], schema: z.ZodType): AppError {
  const shown = name.slice(0, MAX_SHOWN_NAME);
  const param = spell([...path, shown]);
  const known = path.length === 0 && schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
  const near = name.length > MAX_SHOWN_NAME ? [] : nearestNames(name, known);
  const hint = near.length > 0 ? ` Did you mean ${near.join(' or ')}?` : '';
  return new AppError('invalid_request', `Unknown field "${param}".${hint} GET /docs lists the fields.`, {
    param,
  });
}

/** `['messages', 0, 'content']` as `messages[0].content`. */
function spell(path: readonly PropertyKey[]): string {
  const text = path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`)).join('');
  return text.replace(/^\./, '');
}

/** A field that may be left out; null is the same. */
export function optional<S extends z.ZodType>(schema: S, description?: string) {
  const field = schema.nullish().transform((value) => (value ?? undefined) as z.output<S> | undefined);
  return description === undefined ? field : field.describe(description);
}

export function numberBetween(min: number, max: number) {
  return z
    .number({ error: `expected a number from ${min} to ${max}` })
    .min(min)
    .max(max);
}

export function wholeNumberBetween(min: number, max: number) {
  return z
    .int({ error: `expected a whole number from ${min} to ${max}` })
    .min(min)
    .max(max);
}

/** Seconds, "5m" or -1; gives seconds. */
export function keepAlive() {
  return optional(
    z
      .union([z.number(), z.string()], { error: `expected ${KEEP_ALIVE_EXPECTED}` })
      .transform((value, context) => {
        try {
          return parseKeepAlive(value);
        } catch {
          context.addIssue({ code: 'custom', message: `expected ${KEEP_ALIVE_EXPECTED}` });
          return z.NEVER;
        }
      }),
    'How long the model stays loaded: -1, 0, seconds or "5m". Percept only.',
  );
}

/** A field of OpenAI's that would change the answer and that Percept lacks: refused unless its value asks for nothing. */
export function unsupported(remedy: string, harmless: readonly unknown[] = []) {
  const allowed = [null, ...harmless];
  return z
    .unknown()
    .optional()
    .superRefine((value, context) => {
      if (value === undefined || allowed.some((one) => JSON.stringify(one) === JSON.stringify(value))) return;
      context.addIssue({
        code: 'custom',
        message: remedy,
        params: { code: 'unsupported_parameter' satisfies ErrorCode },
      });
    })
    .meta({ enum: allowed, description: `Not supported: ${remedy}.` });
}

/** A field that has no meaning here and cannot change the answer. */
export function ignored() {
  return z.unknown().optional().describe('Accepted for OpenAI’s clients, without meaning here.');
}
