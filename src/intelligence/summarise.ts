/**
 * A transcript to the JSON of a template. What is too long for the model is summarised in parts and the parts' summaries are put together,
 * in several rounds where need be: all of the transcript is read, whatever its length.
 */
import { throwIfAborted } from '../base/abort.ts';
import type { Json } from '../jobs/task.ts';
import { cutText } from './cut-text.ts';
import type { Spoken } from './enhance.ts';
import { mergeForms } from './merge-forms.ts';
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
  const { tell, tellPart, tellMerge } = promptsOf(said.language, options);
  const whole = tell(said.text);
  const size = await writer.measure(whole);
  const maxTokens =
    options.maxTokens ?? Math.min(MAX_ANSWER_TOKENS, Math.floor(size.contextTokens * ANSWER_SHARE));
  const promptRoom = size.contextTokens - maxTokens - PROBLEM_TOKENS;
  const asker = openAsker(writer, { ...options, maxTokens });
  if (size.promptTokens <= promptRoom) {
    const value = await asker.ask(whole);
    onProgress(1);
    return { value, parts: 1, answers: asker.answers, prompts: [template.prompt] };
  }

  const empty = await writer.measure(tellPart('', 1, 1));
  const room = promptRoom - empty.promptTokens;
  if (room < MIN_PART_TOKENS) throw noRoom('summary', empty);
  const tokensOf = async (prompt: string) => (await writer.measure(prompt)).promptTokens;
  const countTokens = async (part: string) => (await tokensOf(tellPart(part, 1, 1))) - empty.promptTokens;
  const parts = await cutText(said.text, { room, countTokens, pauses: said.pauses });
  const forms: Json[] = [];
  for (const [index, part] of parts.entries()) {
    throwIfAborted(signal);
    forms.push(await asker.ask(tellPart(part.trim(), index + 1, parts.length)));
    // Putting them together counts as one more.
    onProgress((index + 1) / (parts.length + 1));
  }
  const value = await mergeForms(forms, {
    fits: async (some) => (await tokensOf(tellMerge(some))) <= promptRoom,
    merge: (some) => asker.ask(tellMerge(some)),
  });
  onProgress(1);
  const prompts = [template.prompt, partPrompt, mergePrompt];
  return { value, parts: parts.length, answers: asker.answers, prompts };
}

function promptsOf(
  language: string,
  { template, partPrompt, mergePrompt }: Pick<SummariseOptions, 'template' | 'partPrompt' | 'mergePrompt'>,
) {
  const { title, fields, schema } = promptValues(template, { transcript: '', language });
  const tell = (transcript: string) =>
    template.prompt.render(promptValues(template, { transcript: asData(transcript), language }));
  return {
    tell,
    tellPart: (transcript: string, part: number, parts: number) =>
      partPrompt.render({ prompt: tell(transcript), part, parts }),
    tellMerge: (forms: readonly Json[]) =>
      mergePrompt.render({ title, fields, schema, forms: forms.map((form) => asData(JSON.stringify(form))) }),
  };
}

interface Asker {
  /** Asks again, with the reason and another seed, for an answer that is not valid or does not end. */
  ask(prompt: string): Promise<Json>;
  readonly answers: number;
}

function openAsker(
  writer: Writer,
  { template, retries, signal, maxTokens }: SummariseOptions & { readonly maxTokens: number },
): Asker {
  let answers = 0;
  return {
    async ask(prompt) {
      let problem = '';
      for (let attempt = 0; ; attempt += 1) {
        throwIfAborted(signal);
        answers += 1;
        try {
          const options = { schema: template.schema, maxTokens, attempt };
          return (await writer.write(prompt + problem, options)).value!;
        } catch (thrown) {
          if (attempt >= retries) throw thrown;
          problem = `\n\nYour last answer was refused: ${problemOf(thrown)} Write the whole JSON object again, and be brief.`;
        }
      }
    },
    get answers() {
      return answers;
    },
  };
}
