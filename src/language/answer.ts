/** What a model wrote, read and checked: nothing that does not obey its schema goes further. */
import { randomUUID } from 'node:crypto';
import { AppError } from '../base/errors.ts';
import type { Demand } from './constraint.ts';
import type { Json, JsonObject, ToolCall } from './generation.ts';
import type { SchemaCompiler } from './schema/schema-compiler.ts';

/** A call with its arguments as they were written: text, or parsed already. */
export interface RawCall {
  readonly id?: string | undefined;
  readonly name: string;
  readonly arguments: unknown;
}

export interface RawAnswer {
  readonly text: string;
  readonly calls: readonly RawCall[];
  /** It was cut by the most tokens it may have. */
  readonly isCut: boolean;
}

export interface CheckedAnswer {
  readonly text: string;
  readonly value: Json | undefined;
  readonly toolCalls: readonly ToolCall[];
}

/** Throws `invalid_output` for what is whole but not valid. Of an answer that was cut, calls that are whole are kept, and no value. */
export async function checkAnswer(
  { text, calls, isCut }: RawAnswer,
  { tools, schema, constraint }: Demand,
  { compiler, signal }: { readonly compiler: SchemaCompiler; readonly signal: AbortSignal },
): Promise<CheckedAnswer> {
  const toolCalls: ToolCall[] = [];
  for (const call of calls) {
    const tool = tools.find(({ name }) => name === call.name);
    if (tool === undefined) throw invalidOutput(`it calls ${JSON.stringify(call.name)}, which is no tool`);
    const given = parsed(call.arguments);
    const problem =
      given === undefined || given === null || typeof given !== 'object' || Array.isArray(given)
        ? { pointer: '', message: 'is not an object' }
        : await compiler.validate(tool.parameters, given, { signal });
    if (problem !== undefined) {
      if (isCut) continue;
      throw invalidOutput(`arguments of ${tool.name}${problem.pointer}: ${problem.message}`);
    }
    toolCalls.push({
      id: call.id ?? `call_${randomUUID().replaceAll('-', '').slice(0, 24)}`,
      name: tool.name,
      arguments: given as JsonObject,
    });
  }
  if (toolCalls.length > 0) return { text, value: undefined, toolCalls };
  const mustCall = constraint.kind === 'calls' && constraint.otherwise === undefined;
  if (mustCall && !isCut) throw invalidOutput('it calls no tool, though it must');
  if (schema === undefined || isCut) return { text, value: undefined, toolCalls };
  const value = parsed(text);
  if (value === undefined) throw invalidOutput('it is not JSON');
  const problem = await compiler.validate(schema, value, { signal });
  if (problem !== undefined) throw invalidOutput(`${problem.pointer || 'the value'}: ${problem.message}`);
  return { text, value, toolCalls };
}

/** Undefined for what is no JSON. */
function parsed(value: unknown): Json | undefined {
  if (typeof value !== 'string') return value as Json;
  try {
    return JSON.parse(value) as Json;
  } catch {
    return undefined;
  }
}

function invalidOutput(what: string): AppError {
  return new AppError('invalid_output', `The model's answer is not what was asked: ${what}.`);
}
