/** Whether a value is what a schema asks, by ajv: the second opinion on every generated text. */
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { unsupported } from './refusal.ts';
import { isMultiple } from './text/numbers.ts';

/** Where and why a value is not what the schema asks. */
export interface Problem {
  /** JSON pointer into the value. */
  readonly pointer: string;
  readonly message: string;
}

/** The schema as a function; throws `AppError` for one that ajv cannot work with. */
export function createValidator(schema: unknown): (value: unknown) => Problem | undefined {
  const ajv = new Ajv2020({ strict: false, logger: false });
  addFormats.default(ajv);
  // ajv divides doubles: for it 0.07 is no multiple of 0.01.
  ajv.removeKeyword('multipleOf');
  ajv.addKeyword({
    keyword: 'multipleOf',
    type: 'number',
    schemaType: 'number',
    validate: (divisor: number, value: number) => isMultiple(value, divisor),
    error: { message: 'must be a multiple of the divisor' },
  });
  // What has been evaluated is asked by no other keyword, and keeping account of it fails on some schemas (ajv 8.20).
  ajv.opts.unevaluated = JSON.stringify(schema).includes('"unevaluated');
  let validate: ValidateFunction;
  try {
    validate = ajv.compile(inOneDialect(schema));
  } catch (cause) {
    throw unsupported('', `results could not be validated (${(cause as Error).message.slice(0, 200)})`);
  }
  return (value) => {
    if (validate(value)) return undefined;
    const [first] = validate.errors ?? [];
    return { pointer: first?.instancePath ?? '', message: first?.message ?? 'is not valid' };
  };
}

/** Older drafts that the compiler takes mean the same by what it takes. */
function inOneDialect(schema: unknown): boolean | Record<string, unknown> {
  if (typeof schema === 'boolean') return schema;
  const { $schema: _, ...rest } = schema as Record<string, unknown>;
  return rest;
}
