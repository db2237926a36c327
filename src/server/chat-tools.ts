/** Tools and the choice among them, in OpenAI's form. */
import { z } from 'zod';
import { AppError, type ErrorCode } from '../base/errors.ts';
import type { JsonObject, Tool, ToolCall, ToolChoice } from '../language/generation.ts';
import { optional } from './json-body.ts';

const MAX_TOOLS = 128;
/** OpenAI's own rule; a name becomes part of the prompt and of the grammar. */
const toolName = z
  .string()
  .regex(/^[\w-]{1,64}$/, 'expected 1 to 64 letters, digits, underscores or hyphens');

/** Any object: whether it is a schema that can be obeyed is for the compiler to say. */
export const jsonObject = z
  .custom<JsonObject>(
    (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
    'expected a JSON object',
  )
  .meta({ type: 'object' });

const toolForm = z.object({
  type: z.literal('function', {
    error: ({ input }) => `expected "function"; tools of type ${shown(input)} are not supported`,
  }),
  function: z.object({
    name: toolName,
    description: optional(z.string()),
    parameters: optional(jsonObject, 'JSON Schema of the arguments; left out: there are none.'),
    strict: optional(z.boolean(), 'Arguments obey the schema, whatever this says.'),
  }),
});

export const toolsForm = z.array(toolForm).max(MAX_TOOLS);

export const toolChoiceForm = z.union(
  [
    z.enum(['none', 'auto', 'required']),
    z.object({ type: z.literal('function'), function: z.object({ name: z.string() }) }),
  ],
  { error: 'expected none, auto, required, or {"type": "function", "function": {"name"}}' },
);

/** Undefined where there are none. Throws `invalid_request` for two of one name. */
export function toTools(forms: z.output<typeof toolsForm> | undefined): readonly Tool[] | undefined {
  if (forms === undefined || forms.length === 0) return undefined;
  const names = new Set<string>();
  return forms.map(({ function: { name, description, parameters } }, index) => {
    if (names.has(name)) {
      throw invalid(`Two tools have the name ${name}.`, `tools[${index}].function.name`);
    }
    names.add(name);
    return { name, description, parameters: parameters ?? NO_ARGUMENTS };
  });
}

const NO_ARGUMENTS: JsonObject = { type: 'object', properties: {}, additionalProperties: false };

/** Throws `invalid_request` for a choice among tools that are not there. */
export function toToolChoice(
  form: z.output<typeof toolChoiceForm> | undefined,
  tools: readonly Tool[] | undefined,
): ToolChoice | undefined {
  if (form === undefined || form === 'none' || form === 'auto') return form;
  if (tools === undefined) throw invalid('"tool_choice" wants a tool, but "tools" has none.', 'tool_choice');
  if (form === 'required') return form;
  const { name } = form.function;
  if (tools.some((tool) => tool.name === name)) return { name };
  throw invalid(`"tool_choice" names ${shown(name)}, which is none of the tools.`, 'tool_choice');
}

/** A call as OpenAI writes it: its arguments are JSON in a string. */
export function toCallForm({ id, name, arguments: given }: ToolCall) {
  return { id, type: 'function', function: { name, arguments: JSON.stringify(given) } } as const;
}

/** What a client wrote, short enough for a message. */
export function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'undefined';
  return text.length > 64 ? `${text.slice(0, 64)}…` : text;
}

function invalid(message: string, param: string): AppError {
  return new AppError('invalid_request' satisfies ErrorCode, message, { param });
}
