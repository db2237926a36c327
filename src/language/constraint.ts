/** What a request demands of its answer, as grammars. Schemas are compiled here, so a bad one is refused before any token. */
import { AppError } from '../base/errors.ts';
import type { GenerateRequest, JsonSchema, OutputForm, Tool } from './generation.ts';
import type { Constraint } from './model.ts';
import type { SchemaCompiler } from './schema/schema-compiler.ts';
import type { CallableTool } from './tool-format.ts';

/** An object of any kind. */
const ANY_OBJECT: JsonSchema = { type: 'object' };
const TOOL_NAME = /^[A-Za-z0-9_-]{1,64}$/;
const MOST_TOOLS = 128;

export interface Demand {
  readonly constraint: Constraint;
  /** Those the model is told of. */
  readonly tools: readonly Tool[];
  /** What a text that is no call must be valid by. */
  readonly schema: JsonSchema | undefined;
}

/** Throws `invalid_request`, `invalid_schema` and `unsupported_schema`, each with the field at fault. */
export async function demandOf(
  request: GenerateRequest,
  compiler: SchemaCompiler,
  signal: AbortSignal,
): Promise<Demand> {
  const schema = schemaOf(request.output);
  const tools = chosenTools(request);
  const value =
    schema === undefined
      ? undefined
      : await compile(schema, { compiler, signal, root: tools.length > 0 ? 'value' : 'root' });
  if (tools.length === 0)
    return {
      constraint: value === undefined ? { kind: 'free' } : { kind: 'grammar', gbnf: value.gbnf },
      tools,
      schema,
    };
  const callable: CallableTool[] = [];
  for (const [index, tool] of tools.entries())
    callable.push({
      name: tool.name,
      ...(await compile(tool.parameters, {
        compiler,
        signal,
        root: `tool${index}`,
        param: `tools[${index}].function.parameters`,
      })),
    });
  const mustCall = request.toolChoice !== undefined && request.toolChoice !== 'auto';
  return {
    constraint: {
      kind: 'calls',
      tools: callable,
      isParallel: request.parallelToolCalls !== false,
      otherwise: mustCall ? undefined : (value ?? 'text'),
    },
    tools,
    schema,
  };
}

function schemaOf(output: OutputForm | undefined): JsonSchema | undefined {
  if (output === undefined || output.kind === 'text') return undefined;
  return output.kind === 'json' ? ANY_OBJECT : output.schema;
}

async function compile(
  schema: JsonSchema,
  {
    compiler,
    signal,
    root,
    param = 'schema',
  }: {
    readonly compiler: SchemaCompiler;
    readonly signal: AbortSignal;
    readonly root: string;
    readonly param?: string;
  },
): Promise<{ readonly root: string; readonly gbnf: string }> {
  try {
    const { gbnf } = await compiler.compile(schema, {
      signal,
      root,
      // `json_object` asks for members that nobody has named.
      openObjects: schema === ANY_OBJECT,
    });
    return { root, gbnf };
  } catch (thrown) {
    if (!(thrown instanceof AppError) || thrown.param !== undefined) throw thrown;
    throw new AppError(thrown.code, thrown.message, { param, cause: thrown });
  }
}

/** Those that may be called; none where the choice is `none`. */
function chosenTools({ tools = [], toolChoice = 'auto' }: GenerateRequest): readonly Tool[] {
  if (tools.length > MOST_TOOLS)
    throw invalid('tools', `there are ${tools.length} tools; at most ${MOST_TOOLS} can be offered`);
  const names = tools.map(({ name }) => name);
  for (const [index, name] of names.entries()) {
    if (!TOOL_NAME.test(name))
      throw invalid(
        `tools[${index}].function.name`,
        `${JSON.stringify(name)} cannot name a tool: expected 1 to 64 letters, digits, "_" and "-"`,
      );
    if (names.indexOf(name) !== index)
      throw invalid(`tools[${index}].function.name`, `two tools are called ${name}`);
  }
  if (toolChoice === 'none') return [];
  if (toolChoice === 'required' && tools.length === 0)
    throw invalid('tool_choice', 'a call is required, but there are no tools');
  if (typeof toolChoice !== 'object') return tools;
  const chosen = tools.filter(({ name }) => name === toolChoice.name);
  if (chosen.length === 0)
    throw invalid('tool_choice', `there is no tool ${JSON.stringify(toolChoice.name)} among the tools`);
  return chosen;
}

function invalid(param: string, what: string): AppError {
  return new AppError('invalid_request', `${what[0]!.toUpperCase()}${what.slice(1)}.`, { param });
}
