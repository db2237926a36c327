/** The schema seen as a flat list of keys, each with its spelling in files, in the environment and in code. */
import { z } from 'zod';
import { configSchema } from './schema.ts';

export interface ConfigKey {
  /** As in a file: `server.max_upload_bytes`. */
  readonly path: string;
  /** As in code: `['server', 'maxUploadBytes']`. */
  readonly codePath: readonly string[];
  /** `PERCEPT_SERVER_MAX_UPLOAD_BYTES` */
  readonly variable: string;
  readonly schema: z.ZodType;
  /** How a value written as text is to be read. */
  readonly type: 'number' | 'boolean' | 'numbers' | 'texts' | 'map' | 'text';
  readonly description: string;
  readonly secret: boolean;
  /** What a user may write, in words: `whole number, 0 to 65535`. */
  readonly expected: string;
  /** The default, in words. */
  readonly fallback: string;
}

/** Every key of the configuration, in the order of the schema. */
export function listKeys(): readonly ConfigKey[] {
  return keysBelow(configSchema, []);
}

/** Shorter or widely known names of variables; the `PERCEPT_` name of the same key wins over them. */
export const SHORTHANDS: Readonly<Record<string, string>> = {
  PERCEPT_HOST: 'server.host',
  PERCEPT_PORT: 'server.port',
  PERCEPT_API_KEYS: 'server.api_keys',
  HF_ENDPOINT: 'sources.hub_endpoint',
  HF_TOKEN: 'sources.hub_token',
  PIP_INDEX_URL: 'sources.index_url',
};

function keysBelow(group: z.ZodObject, parents: readonly string[]): ConfigKey[] {
  return Object.entries(group.shape).flatMap(([name, schema]) => {
    const codePath = [...parents, name];
    return schema instanceof z.ZodObject
      ? keysBelow(schema, codePath)
      : [keyOf(schema as z.ZodType, codePath)];
  });
}

function keyOf(schema: z.ZodType, codePath: readonly string[]): ConfigKey {
  const path = codePath.map(toSnake).join('.');
  const meta = schema.meta() ?? {};
  const shape = z.toJSONSchema(schema, { io: 'input' }) as JsonShape;
  return {
    path,
    codePath,
    variable: `PERCEPT_${path.replaceAll('.', '_').toUpperCase()}`,
    schema,
    type: typeOf(shape),
    description: String(meta['description'] ?? ''),
    secret: meta['secret'] === true,
    expected: inWords(shape),
    fallback: typeof meta['fallback'] === 'string' ? meta['fallback'] : defaultInWords(shape.default),
  };
}

function typeOf(shape: JsonShape): ConfigKey['type'] {
  // What may be null is written as if it might not; no text stands for null.
  const whenSet = shape.anyOf?.filter(({ type }) => type !== 'null') ?? [];
  if (whenSet.length === 1) return typeOf(whenSet[0]!);
  switch (shape.type) {
    case 'integer':
    case 'number':
      return 'number';
    case 'boolean':
      return 'boolean';
    case 'array':
      return shape.items?.type === 'number' ? 'numbers' : 'texts';
    case 'object':
      return 'map';
    default:
      return 'text';
  }
}

interface JsonShape {
  readonly type?: string | readonly string[];
  readonly format?: string;
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly items?: JsonShape;
  readonly additionalProperties?: JsonShape;
  readonly anyOf?: readonly JsonShape[];
  readonly default?: unknown;
}

function inWords(shape: JsonShape): string {
  if (shape.enum) return `one of ${shape.enum.join(', ')}`;
  if (shape.anyOf) return shape.anyOf.map(inWords).join(' or ');
  if (shape.format === 'uri') return 'http or https URL';
  if (Array.isArray(shape.type)) return 'number of seconds (-1 for ever) or duration such as 5m';
  switch (shape.type) {
    case 'integer':
      return `whole number${range(shape)}`;
    case 'number':
      return `number${range(shape)}`;
    case 'boolean':
      return 'true or false';
    case 'array':
      return `list of: ${inWords(shape.items ?? {})}`;
    case 'object':
      return `map from name to: ${inWords(shape.additionalProperties ?? {})}`;
    case 'null':
      return 'null';
    default:
      return 'text';
  }
}

function range({ minimum, maximum, exclusiveMinimum }: JsonShape): string {
  const from = exclusiveMinimum === undefined ? minimum : `above ${exclusiveMinimum}`;
  // zod states the largest safe integer as the maximum of every integer: no limit of ours.
  const to = maximum === Number.MAX_SAFE_INTEGER ? undefined : maximum;
  if (from === undefined && to === undefined) return '';
  if (to === undefined) return exclusiveMinimum === undefined ? `, at least ${from}` : `, ${from}`;
  return from === undefined ? `, at most ${to}` : `, ${from} to ${to}`;
}

function defaultInWords(value: unknown): string {
  if (value === null) return 'none';
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** The spelling of a name of code in files and requests: `topP` is `top_p`. */
export function toSnake(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
