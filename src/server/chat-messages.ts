/** The messages of a conversation in OpenAI's form, to those that models are given. */
import { z } from 'zod';
import { AppError, type ErrorCode } from '../base/errors.ts';
import type { JsonObject, Message, ToolCall } from '../language/generation.ts';
import { shown } from './chat-tools.ts';
import { optional, unsupported } from './json-body.ts';
import { scanJson } from './json-scan.ts';

const MAX_MESSAGES = 10_000;

/** A part of a text. Models here read text alone, so a part of another kind is refused by its name. */
const part = z
  .looseObject({
    type: z.string().describe('"text"; images, audio and files are refused.'),
    text: z.string().optional(),
    refusal: z.string().optional(),
  })
  .transform(({ type, text, refusal }, context) => {
    if (type === 'text' && text !== undefined) return text;
    if (type === 'refusal' && refusal !== undefined) return refusal;
    const isText = type === 'text' || type === 'refusal';
    context.addIssue({
      code: 'custom',
      path: [isText ? type : 'type'],
      message: isText ? 'expected a string' : `a part is ${shown(type)}, where models here read text alone`,
      params: { code: (isText ? 'invalid_request' : 'unsupported_parameter') satisfies ErrorCode },
    });
    return z.NEVER;
  });

const content = z.union([z.string(), z.array(part).transform((texts) => texts.join('\n'))], {
  error: 'expected a string or an array of text parts',
});

const callForm = z.object({
  id: z.string().min(1),
  type: z.literal('function', { error: 'expected "function"' }),
  function: z.object({ name: z.string().min(1), arguments: z.string() }),
});

/** Other keys are ignored: the SDKs send their own answers back, with keys of theirs (`parsed`, `annotations`, `refusal`). */
const messageForm = z.discriminatedUnion(
  'role',
  [
    z.object({ role: z.enum(['system', 'developer', 'user']), content }),
    z.object({
      role: z.literal('assistant'),
      content: optional(content),
      tool_calls: optional(z.array(callForm)),
      function_call: unsupported('send "tool_calls"'),
      audio: unsupported('send text'),
    }),
    z.object({ role: z.literal('tool'), content, tool_call_id: z.string().min(1) }),
  ],
  { error: 'expected an object whose "role" is system, developer, user, assistant or tool' },
);

type MessageForm = z.output<typeof messageForm>;

export const messagesForm = z.array(messageForm).min(1).max(MAX_MESSAGES);

/** Throws `invalid_request` for calls whose arguments are no JSON object, and for an assistant who neither says nor calls anything. */
export function toMessages(forms: readonly MessageForm[]): readonly Message[] {
  return forms.map(toMessage);
}

function toMessage(form: MessageForm, index: number): Message {
  switch (form.role) {
    case 'system':
    case 'developer':
      return { role: 'system', content: form.content };
    case 'user':
      return { role: 'user', content: form.content };
    case 'tool':
      return { role: 'tool', content: form.content, toolCallId: form.tool_call_id };
    case 'assistant': {
      const calls = form.tool_calls ?? [];
      if (form.content === undefined && calls.length === 0) {
        const param = `messages[${index}].content`;
        throw new AppError(
          'invalid_request',
          `The field "${param}" is missing, and there are no tool calls.`,
          {
            param,
          },
        );
      }
      const toolCalls = calls.map((call, place) => toCall(call, `messages[${index}].tool_calls[${place}]`));
      return {
        role: 'assistant',
        content: form.content ?? '',
        ...(toolCalls.length === 0 ? {} : { toolCalls }),
      };
    }
    default:
      throw new Error(`Unknown role ${form satisfies never}.`);
  }
}

function toCall(
  { id, function: { name, arguments: text } }: z.output<typeof callForm>,
  path: string,
): ToolCall {
  return { id, name, arguments: parseArguments(text, `${path}.function.arguments`) };
}

function parseArguments(text: string, param: string): JsonObject {
  // Some servers write no arguments as an empty string.
  if (text.trim() === '') return {};
  scanJson(text);
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as JsonObject;
  } catch {
    // Told below, like JSON of another kind.
  }
  throw new AppError(
    'invalid_request',
    `The field "${param}" is not valid: expected a JSON object in a string.`,
    {
      param,
    },
  );
}
