/**
 * A transcript to the JSON of a template. What is too long for the model is summarised in parts and the parts' summaries are put together,
 * in several rounds where need be: all of the transcript is read, whatever its length.
 */
import { throwIfAborted } from '../base/abort.ts';
import type { Json } from '../jobs/task.ts';
import { cutText } from './cut-text.ts';
import type { Spoken } from './enhance.ts';
import { asData, type Prompt } from './prompts.ts';
import { promptValues, type Template } from './read-template.ts';
import { noRoom, PROBLEM_TOKENS, problemOf, type Writer } from './writer.ts';

export interface Summary {
  /** Valid by the template. */
  readonly value: Json;
  /** 1 where the transcript was read in one piece. */
  readonly parts: number;
  /** Answers that were asked for, all in all. */
  readonly answers: number;
  /** Prompts that were used. */
  readonly prompts: readonly Prompt[];
}

export interface SummariseOptions {
  readonly template: Template;
  readonly partPrompt: Prompt;
  readonly mergePrompt: Prompt;
  readonly maxTokens: number | undefined;
  /** How often an answer is asked for again that is not valid. */
  readonly retries: number;
  readonly signal: AbortSignal;
  onProgress(share: number): void;
}

/** Of the context, so that two summaries and the instructions to put them together fit beside the answer. */
const ANSWER_SHARE = 1 / 4;
/** What all of our templates can hold at their longest, in English. */
const MAX_ANSWER_TOKENS = 2048;
/** Smaller parts would say too little to be summarised. */
const MIN_PART_TOKENS = 48;

/**
 * Throws `context_exceeded` where a part or two summaries do not fit, `invalid_output` or `output_truncated` when all tries have failed,
 * and what running the model may throw.
 */
export async function summarise(said: Spoken, writer: Writer, options: SummariseOptions): Promise<Summary> {
  const { template, partPrompt, mergePrompt, signal, onProgress } = options;
  const used = new Set([template.prompt]);
  let answers = 0;
  const tell = (transcript: string) =>
    template.prompt.render(
      promptValues(template, { transcript: asData(transcript), language: said.language }),
    );
  const tellPart = (transcript: string, part: number, parts: number) =>
    partPrompt.render({ prompt: tell(transcript), part, parts });
  const { title, fields, schema } = promptValues(template, { transcript: '', language: said.language });
  const tellMerge = (forms: readonly Json[]) =>
    mergePrompt.render({ title, fields, schema, forms: forms.map((form) => asData(JSON.stringify(form))) });

  const empty = await writer.measure(tellPart('', 1, 1));
  const { contextTokens } = empty;
  const maxTokens =
    options.maxTokens ?? Math.min(MAX_ANSWER_TOKENS, Math.floor(contextTokens * ANSWER_SHARE));
  const promptRoom = contextTokens - maxTokens - PROBLEM_TOKENS;
  const room = promptRoom - empty.promptTokens;
  if (room < MIN_PART_TOKENS) throw noRoom('summary', empty);

  async function ask(prompt: string): Promise<Json> {
    let problem = '';
    for (let attempt = 0; ; attempt += 1) {
      throwIfAborted(signal);
      try {
        answers += 1;
        const { value } = await writer.write(prompt + problem, {
          schema: template.schema,
          maxTokens,
          attempt,
        });
        return value!;
      } catch (thrown) {
        if (attempt >= options.retries) throw thrown;
        problem = `\n\nYour last answer was refused: ${problemOf(thrown)} Write the whole JSON object again.`;
      }
    }
  }

  async function fits(prompt: string): Promise<boolean> {
    return (await writer.measure(prompt)).promptTokens <= promptRoom;
  }

  /** Neighbours that fit together, at least two but for a last one that is left over. */
  async function groupsOf(forms: readonly Json[]): Promise<Json[][]> {
    const groups: Json[][] = [];
    let group: Json[] = [];
    for (const form of forms) {
      if (group.length > 0 && !(await fits(tellMerge([...group, form])))) {
        if (group.length === 1) throw noRoom('summary', await writer.measure(tellMerge([...group, form])));
        groups.push(group);
        group = [];
      }
      group.push(form);
    }
    return [...groups, group];
  }

  async function merge(forms: readonly Json[]): Promise<Json> {
    if (forms.length === 1) return forms[0]!;
    used.add(mergePrompt);
    const merged: Json[] = [];
    for (const group of await groupsOf(forms))
      merged.push(group.length === 1 ? group[0]! : await ask(tellMerge(group)));
    return merge(merged);
  }

  const whole = tell(said.text);
  if (await fits(whole)) {
    const value = await ask(whole);
    onProgress(1);
    return { value, parts: 1, answers, prompts: [...used] };
  }
  used.add(partPrompt);
  const countTokens = async (part: string) =>
    (await writer.measure(tellPart(part, 1, 1))).promptTokens - empty.promptTokens;
  const parts = await cutText(said.text, { room, countTokens, pauses: said.pauses });
  const forms: Json[] = [];
  for (const [index, part] of parts.entries()) {
    forms.push(await ask(tellPart(part.trim(), index + 1, parts.length)));
    // Putting them together counts as one more.
    onProgress((index + 1) / (parts.length + 1));
  }
  const value = await merge(forms);
  onProgress(1);
  return { value, parts: parts.length, answers, prompts: [...used] };
}
