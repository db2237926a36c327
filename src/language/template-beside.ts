/** The chat template that stands beside a model's weights: made after them, as a rule to mend the one inside. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

const JINJA = 'chat_template.jinja';
const JSON_FILE = 'chat_template.json';
/** Of several in one file, the one that is meant where none is asked for. */
const DEFAULT = 'default';

/** `files` are those of the model. Undefined where there is none; what cannot be read is added to `skipped` with the reason. */
export async function readTemplateBeside(
  directory: string,
  { files, skipped }: { readonly files: readonly string[]; readonly skipped: string[] },
): Promise<string | undefined> {
  if (files.includes(JINJA)) return readFile(join(directory, JINJA), 'utf8');
  if (!files.includes(JSON_FILE)) return undefined;
  const template = templateIn(await readFile(join(directory, JSON_FILE), 'utf8'));
  if (template === undefined) skipped.push(`${JSON_FILE} holds no text named chat_template.`);
  return template;
}

/** `{"chat_template": "..."}`, or a list of `{"name", "template"}` under that name (transformers, `save_chat_templates`). */
function templateIn(text: string): string | undefined {
  const parsed = parse(text) as { readonly chat_template?: unknown } | undefined;
  const given = parsed?.chat_template;
  if (typeof given === 'string') return given;
  if (!Array.isArray(given)) return undefined;
  const entries = given as readonly { readonly name?: unknown; readonly template?: unknown }[];
  const found = entries.find((entry) => entry?.name === DEFAULT)?.template;
  return typeof found === 'string' ? found : undefined;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
