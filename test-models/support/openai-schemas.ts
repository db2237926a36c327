/** OpenAI's own description of its API, where it stands beside the repository. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { parse } from 'yaml';
import { sharedFile } from '../../test/support/shared-file.ts';

export type OpenaiSchemas = (name: string) => ValidateFunction;

const description = sharedFile('data/openai-openapi.yaml.gz');

export const NO_DESCRIPTION = description === undefined && "OpenAI's description is not on this machine";

/** Validators of the description's schemas by their names; undefined where the description is not there. */
export async function openaiSchemas(): Promise<OpenaiSchemas | undefined> {
  if (description === undefined) return undefined;
  const document = parse(gunzipSync(await readFile(description)).toString()) as object;
  // The description has keywords and formats of its own.
  const ajv = new Ajv2020({ strict: false, logger: false });
  addFormats.default(ajv);
  ajv.addFormat('unixtime', { type: 'number', validate: Number.isInteger });
  ajv.addSchema(spellNull(document) as object, 'openai');
  return (name) => ajv.getSchema(`openai#/components/schemas/${name}`)!;
}

/** The description is of OpenAPI 3.1, but writes `nullable` of 3.0 in places, which says nothing there and fails beside an `enum`. */
function spellNull(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(spellNull);
  if (typeof value !== 'object' || value === null) return value;
  const { nullable, ...rest } = Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [name, spellNull(inner)]),
  );
  return nullable === true ? { anyOf: [rest, { type: 'null' }] } : rest;
}

export function assertValid(validate: ValidateFunction, value: unknown): void {
  assert.ok(validate(value), `${JSON.stringify(validate.errors)} in ${JSON.stringify(value)}`);
}
