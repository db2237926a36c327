/** Messages to a prompt, by the Jinja template that a model was trained with or that the operator gives. The only file of this room that knows the Jinja library. */
import { createHash } from 'node:crypto';
import { Template } from '@huggingface/jinja';
import { AppError } from '../base/errors.ts';
import type { Message, Tool, ToolCall } from './generation.ts';
import { type ToolFormat, toolFormatOf } from './tool-format.ts';

export interface ChatPrompt {
  readonly messages: readonly Message[];
  readonly tools: readonly Tool[];
  readonly thinking: boolean;
}

export interface ChatTemplate {
  /** SHA-256 of its text. */
  readonly hash: string;
  readonly toolFormat: ToolFormat;
  /** Whether models with it can think before they answer. */
  readonly canThink: boolean;
  /** Throws `invalid_request` for messages that the template refuses. */
  render(prompt: ChatPrompt): string;
}

/** What many models without a template of their own understand (OpenAI's ChatML). */
const CHATML =
  "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}{% endfor %}" +
  "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

/** `ends` are the texts of the model's first and last token. Throws `unsupported_model` for a template that is none. */
export function createChatTemplate(
  source: string | undefined,
  ends: { readonly beginning: string; readonly end: string },
): ChatTemplate {
  const text = source ?? CHATML;
  const template = parse(text);
  const takesTools = /\btools\b/.test(text);
  const toolFormat = toolFormatOf(text);
  return {
    hash: createHash('sha256').update(text).digest('hex'),
    toolFormat,
    canThink: /enable_thinking|<think>/.test(text),
    render({ messages, tools, thinking }) {
      const told = takesTools ? messages.map(wireMessage) : withToolsInWords(messages, tools, toolFormat);
      try {
        return template.render({
          messages: told,
          ...(takesTools && tools.length > 0 ? { tools: tools.map(wireTool) } : {}),
          add_generation_prompt: true,
          enable_thinking: thinking,
          bos_token: ends.beginning,
          eos_token: ends.end,
        });
      } catch (cause) {
        const reason = cause instanceof Error ? cause.message : String(cause);
        throw new AppError('invalid_request', `The model's chat template refuses these messages: ${reason}`, {
          param: 'messages',
          cause,
        });
      }
    },
  };
}

function parse(text: string): Template {
  try {
    return new Template(text);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new AppError(
      'unsupported_model',
      `The chat template cannot be read: ${reason}. Name one that works in language.template_file.`,
      { cause },
    );
  }
}

function wireTool({ name, description, parameters }: Tool) {
  return { type: 'function', function: { name, description: description ?? '', parameters } };
}

/** As templates on the Hugging Face hub read them. */
function wireMessage({ role, content, toolCalls, toolCallId }: Message): Record<string, unknown> {
  return {
    role,
    content,
    ...(toolCalls === undefined || toolCalls.length === 0
      ? {}
      : {
          tool_calls: toolCalls.map(({ id, name, arguments: given }) => ({
            id,
            type: 'function',
            function: { name, arguments: given },
          })),
        }),
    ...(toolCallId === undefined ? {} : { tool_call_id: toolCallId }),
  };
}

/** For templates that know no tools: the system message tells of them, and calls and results of earlier turns are plain text. */
function withToolsInWords(
  messages: readonly Message[],
  tools: readonly Tool[],
  format: ToolFormat,
): Record<string, unknown>[] {
  const plain = messages.map(({ role, content, toolCalls }) => {
    if (role === 'tool') return { role: 'user', content: `<tool_response>\n${content}\n</tool_response>` };
    const calls = toolCalls === undefined || toolCalls.length === 0 ? '' : inWords(toolCalls, format);
    return { role, content: content + calls };
  });
  if (tools.length === 0) return plain;
  const about = [
    'You may call one or more functions to help with the request. Their signatures, one in a line:',
    ...tools.map((tool) => JSON.stringify(wireTool(tool))),
    'To call functions, answer with:',
    inWords([{ name: 'function-name', arguments: {} }], format),
  ].join('\n');
  const [first, ...others] = plain;
  return first?.role === 'system'
    ? [{ role: 'system', content: `${first.content}\n\n${about}` }, ...others]
    : [{ role: 'system', content: about }, ...plain];
}

function inWords(
  calls: readonly Pick<ToolCall, 'name' | 'arguments'>[],
  { tag, opening, between, closing }: ToolFormat,
): string {
  const written = calls.map(({ name, arguments: given }) => JSON.stringify({ name, arguments: given }));
  return tag + opening + written.join(between) + closing;
}
