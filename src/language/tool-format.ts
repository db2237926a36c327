/** How models write that they want a tool called: with tags of their own where they were trained for it, else with those that most models know. */
import { literal, untilTag } from './tag-grammar.ts';

export interface ToolFormat {
  /** What no other text holds. */
  readonly tag: string;
  /** From the tag to the first call, between calls, and behind the last. */
  readonly opening: string;
  readonly between: string;
  readonly closing: string;
}

/** Hermes, Qwen and many others. */
const TAGGED: ToolFormat = {
  tag: '<tool_call>',
  opening: '\n',
  between: '\n</tool_call>\n<tool_call>\n',
  closing: '\n</tool_call>',
};
const PHI: ToolFormat = { tag: '<|tool_call|>', opening: '[', between: ', ', closing: ']<|/tool_call|>' };
const MISTRAL: ToolFormat = { tag: '[TOOL_CALLS]', opening: '[', between: ', ', closing: ']' };

/** By what the chat template writes for calls of earlier turns. */
export function toolFormatOf(template: string): ToolFormat {
  return [PHI, MISTRAL].find(({ tag }) => template.includes(tag)) ?? TAGGED;
}

/** More are no plan but a loop. */
const MOST_CALLS = 16;

/** A tool, and the grammar of its arguments with its first rule. */
export interface CallableTool {
  readonly name: string;
  readonly root: string;
  readonly gbnf: string;
}

export interface CallGrammarOptions {
  readonly format: ToolFormat;
  /** Several calls may follow one another. */
  readonly isParallel: boolean;
  /** What may be written instead of a call: any text, a text by the rules that begin with `root`, or nothing. */
  readonly otherwise: 'text' | { readonly root: string; readonly gbnf: string } | undefined;
}

/** GBNF, root rule `root`. Tool names are letters, digits, `_` and `-`. */
export function callGrammar(
  tools: readonly CallableTool[],
  { format, isParallel, otherwise }: CallGrammarOptions,
): string {
  const { tag, opening, between, closing } = format;
  const further = isParallel ? MOST_CALLS - 1 : 0;
  const more = Array.from({ length: further + 1 }, (_, left) =>
    left === 0 ? 'more-0 ::= ""\n' : `more-${left} ::= "" | ${literal(between)} call more-${left - 1}\n`,
  ).join('');
  const calls = tools.map(({ name, root }) => `${literal(`{"name": "${name}", "arguments": `)} ${root} "}"`);
  const body =
    `calls ::= ${literal(opening)} call more-${further} ${literal(closing)}\n` +
    `call ::= ${calls.join(' | ')}\n${more}`;
  const grammars = tools.map(({ gbnf }) => gbnf).join('');
  if (otherwise === 'text')
    return `root ::= prose\n${untilTag(tag, { name: 'prose', behind: 'calls' })}${body}${grammars}`;
  const tagged = `${literal(tag)} calls`;
  if (otherwise === undefined) return `root ::= ${tagged}\n${body}${grammars}`;
  return `root ::= ${tagged} | ${otherwise.root}\n${body}${grammars}${otherwise.gbnf}`;
}

/** A call as it was written, arguments not looked at. */
export interface WrittenCall {
  readonly name: string;
  readonly arguments: unknown;
}

/** What stands before the calls, and the calls that are whole. */
export function readCalls(
  text: string,
  { tag }: Pick<ToolFormat, 'tag'>,
): { readonly prose: string; readonly calls: readonly WrittenCall[] } {
  const at = text.indexOf(tag);
  if (at < 0) return { prose: text, calls: [] };
  const calls: WrittenCall[] = [];
  for (let start = text.indexOf('{', at); start >= 0; ) {
    const end = endOfObject(text, start);
    if (end === undefined) break;
    calls.push(JSON.parse(text.slice(start, end)) as WrittenCall);
    start = text.indexOf('{', end);
  }
  return { prose: text.slice(0, at), calls };
}

/** Where the JSON object that begins at `start` ends; undefined where the text ends before. */
function endOfObject(text: string, start: number): number | undefined {
  let depth = 0;
  let isString = false;
  for (let at = start; at < text.length; at += 1) {
    const character = text[at]!;
    if (isString) {
      if (character === '\\') at += 1;
      else if (character === '"') isString = false;
    } else if (character === '"') isString = true;
    else if (character === '{') depth += 1;
    else if (character === '}') {
      depth -= 1;
      if (depth === 0) return at + 1;
    }
  }
  return undefined;
}
