/** What models are told, as Jinja templates. They make text, so nothing is escaped for HTML. The only file here that knows the Jinja library. */
import { createHash } from 'node:crypto';
import { Template } from '@huggingface/jinja';
import type { Json } from '../jobs/task.ts';

export interface Prompt {
  readonly name: string;
  /** SHA-256 of its text. */
  readonly hash: string;
  /** Throws a plain Error with the reason where the template cannot be filled. */
  render(values: { readonly [name: string]: Json }): string;
}

/** Throws a plain Error for what is no Jinja template. */
export function compilePrompt(name: string, text: string): Prompt {
  const template = new Template(text);
  return {
    name,
    hash: createHash('sha256').update(text).digest('hex'),
    render: (values) => template.render({ ...values }).trim(),
  };
}

/** Marks of chat templates, such as `<|im_end|>`, `<start_of_turn>` and `[/INST]`, which a model would take for the end of what it is told. */
const BRACKETED_MARK = /\[(\/?(?:INST|SYS|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS))\]/gi;

/**
 * Text of a recording, or made of it, as it may stand in a prompt: what was said is data, so it must neither close the tags that surround
 * it nor speak as anyone else. Angle brackets, which nobody can say aloud, become guillemets; no letter changes.
 */
export function asData(text: string): string {
  return text.replaceAll('<', '‹').replaceAll('>', '›').replace(BRACKETED_MARK, '($1)');
}
