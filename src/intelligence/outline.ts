/** A schema in words for a prompt: a third of the tokens of its JSON. The form is enforced elsewhere; this tells what each field means. */
import type { Json } from '../jobs/task.ts';
import type { JsonSchema } from './tools.ts';

type Fields = { readonly [key: string]: Json };

/** One line for each field, indented by two spaces for each level: `- owner (text or null): Who will do it.` */
export function outlineOf(schema: JsonSchema): string {
  return isFields(schema) ? linesOf(schema, 0).join('\n') : '';
}

/** References are told by their names alone, so schemas that hold themselves end here too. */
function linesOf(schema: Fields, level: number): string[] {
  const properties = schema['properties'];
  if (!isFields(properties)) return [];
  return Object.entries(properties).flatMap(([name, value]) => {
    const field = isFields(value) ? value : {};
    const items = isFields(field['items']) ? field['items'] : undefined;
    const description = field['description'] ?? items?.['description'];
    const about = typeof description === 'string' ? `: ${description}` : '';
    const line = `${'  '.repeat(level)}- ${name} (${kindOf(field, items)})${about}`;
    return [line, ...linesOf(items ?? field, level + 1)];
  });
}

function kindOf(field: Fields, items: Fields | undefined): string {
  if (Array.isArray(field['enum'])) return `one of ${JSON.stringify(field['enum'])}`;
  if (typeof field['$ref'] === 'string') return field['$ref'].split('/').at(-1)!;
  if (items !== undefined) {
    const most = typeof field['maxItems'] === 'number' ? `of at most ${field['maxItems']}, each ` : 'of ';
    return `list ${most}${kindOf(items, undefined)}`;
  }
  const types = [field['type'] ?? 'any'].flat().map((type) => (type === 'string' ? 'text' : String(type)));
  return types.join(' or ');
}

function isFields(value: Json | JsonSchema | undefined): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
