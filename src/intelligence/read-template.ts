/** One template out of its files, checked: what cannot be obeyed is found when it is read, not when a recording waits for it. */
import { createHash } from 'node:crypto';
import { AppError } from '../base/errors.ts';
import type { Json } from '../jobs/task.ts';
import { outlineOf } from './outline.ts';
import { compilePrompt, type Prompt } from './prompts.ts';
import { type FoundFile, readTemplateFile } from './template-files.ts';
import type { JsonSchema, Tools } from './tools.ts';

/** What a summary has to be. */
export interface Template {
  /** `meeting_notes_v1` */
  readonly id: string;
  /** For people. */
  readonly name: string;
  readonly description: string;
  readonly version: string;
  /** Of an object; JSON Schema 2020-12. */
  readonly schema: { readonly [key: string]: Json };
  /** SHA-256 of the schema as JSON without white space, in the order in which it is written: answers have their members in that order. */
  readonly schemaHash: string;
  readonly prompt: Prompt;
  /** Whether it came with Percept. */
  readonly isOurs: boolean;
}

export interface TemplateSource {
  readonly id: string;
  readonly schema: FoundFile;
  readonly prompt: FoundFile;
  /** The prompt's own name, as versions tell it. */
  readonly promptName: string;
  readonly isOurs: boolean;
}

/** What a prompt can speak of. */
export interface PromptValues {
  readonly transcript: string;
  /** Code such as `en`. */
  readonly language: string;
  readonly title: string;
  readonly description: string;
  /** The fields in words, one in a line. */
  readonly fields: string;
  /** The schema as JSON. */
  readonly schema: string;
}

/** Throws a plain Error with the reason for a template that is broken, and what checking a schema may throw for other reasons. */
export async function readTemplate(
  { id, schema: schemaFile, prompt: promptFile, promptName, isOurs }: TemplateSource,
  checkSchema: Tools['checkSchema'],
): Promise<Template> {
  const { version, ...schema } = parseObject(await readTemplateFile(schemaFile));
  const properties = schema['properties'];
  if (schema['type'] !== 'object' || !isObject(properties) || Object.keys(properties).length === 0)
    throw new Error('its schema is not that of an object ("type": "object") with "properties"');
  await checkSchema(schema).catch((thrown: unknown) => {
    const isBroken =
      thrown instanceof AppError && ['invalid_schema', 'unsupported_schema'].includes(thrown.code);
    throw isBroken ? new Error(thrown.message) : thrown;
  });
  const { title = id, description = '' } = schema;
  const template: Template = {
    id,
    name: String(title),
    description: String(description),
    version: versionOf(version, id),
    schema,
    schemaHash: createHash('sha256').update(JSON.stringify(schema)).digest('hex'),
    prompt: compilePrompt(promptName, await readTemplateFile(promptFile)),
    isOurs,
  };
  tryPrompt(template);
  return template;
}

export function promptValues(
  { name, description, schema }: Template,
  said: Pick<PromptValues, 'transcript' | 'language'>,
): PromptValues & { readonly [name: string]: Json } {
  return {
    ...said,
    title: name,
    description,
    fields: outlineOf(schema),
    schema: JSON.stringify(schema, null, 2),
  };
}

/** A prompt that leaves the transcript out would have its model invent everything. */
function tryPrompt(template: Template): void {
  const transcript = 'What was said, 7f3a.';
  const text = template.prompt.render(promptValues(template, { transcript, language: 'en' }));
  if (!text.includes(transcript))
    throw new Error(`its prompt ${template.prompt.name}.jinja nowhere says {{ transcript }}`);
}

function versionOf(written: Json | undefined, id: string): string {
  if (typeof written === 'string' || typeof written === 'number') return String(written);
  if (written !== undefined) throw new Error('its "version" is neither text nor a number');
  return /_v([0-9]+)$/.exec(id)?.[1] ?? '1';
}

function parseObject(text: string): { readonly [key: string]: Json } {
  let value: Json;
  try {
    value = JSON.parse(text) as Json;
  } catch (cause) {
    throw new Error(`it is not JSON: ${(cause as Error).message}`, { cause });
  }
  if (!isObject(value)) throw new Error('it is not a JSON object');
  return value;
}

function isObject(value: Json | JsonSchema | undefined): value is { readonly [key: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
