/** Punctuation and capitals for what was said. The model's text is taken only where it has the words of the recording. */
import { throwIfAborted } from '../base/abort.ts';
import { cutText } from './cut-text.ts';
import { asData, type Prompt } from './prompts.ts';
import { changedWords } from './same-words.ts';
import { noRoom, PROBLEM_TOKENS, problemOf, type Writer } from './writer.ts';

export interface Spoken {
  readonly text: string;
  /** Code such as `en`. */
  readonly language: string;
  /** Places in the text where the speaker paused. */
  readonly pauses: readonly number[];
}

export interface Enhanced {
  readonly text: string;
  readonly parts: number;
  /** Those for which no answer had the words that were said. */
  readonly partsKeptRaw: number;
  /** Most that an answer could have. */
  readonly maxTokens: number;
}

export interface EnhanceOptions {
  readonly prompt: Prompt;
  /** Most tokens of an answer, as configured. */
  readonly maxTokens: number | undefined;
  readonly signal: AbortSignal;
  onProgress(share: number): void;
}

/** About 90 s of speech. A part that is refused is kept raw as a whole, and small models lose the thread in long ones. */
const PART_TOKENS = 300;
/** Less would be words without their sentence. */
const MIN_PART_TOKENS = 16;
/** Of what an answer may have to what it is made of: punctuation adds tokens, hesitations go. */
const GROWTH = 1.5;
const ANSWER_SLACK = 16;
const TRIES = 2;

/** Throws `context_exceeded` where not even a small part fits, and what running the model may throw. */
export async function enhance(said: Spoken, writer: Writer, options: EnhanceOptions): Promise<Enhanced> {
  const { prompt, maxTokens = Number.POSITIVE_INFINITY, signal, onProgress } = options;
  const tell = (transcript: string, problem = '') =>
    prompt.render({ transcript: asData(transcript), language: said.language, problem });
  const empty = await writer.measure(tell(''));
  const free = empty.contextTokens - empty.promptTokens - PROBLEM_TOKENS;
  const room = Math.floor(
    Math.min(PART_TOKENS, (free - ANSWER_SLACK) / (1 + GROWTH), (maxTokens - ANSWER_SLACK) / GROWTH),
  );
  if (room < MIN_PART_TOKENS) throw noRoom('enhancement', empty);
  const answerTokens = (tokens: number) => Math.ceil(tokens * GROWTH) + ANSWER_SLACK;
  const countTokens = async (part: string) =>
    (await writer.measure(tell(part))).promptTokens - empty.promptTokens;
  const parts = await cutText(said.text, { room, countTokens, pauses: said.pauses });
  const texts: string[] = [];
  let partsKeptRaw = 0;
  for (const [index, part] of parts.entries()) {
    throwIfAborted(signal);
    // A model that does not find its end is stopped soon.
    const most = answerTokens(await countTokens(part));
    const cleaned = await clean(part.trim(), { writer, tell, answerTokens: most, language: said.language });
    if (cleaned === undefined) partsKeptRaw += 1;
    texts.push(cleaned === undefined ? part : withSpacesOf(part, cleaned));
    onProgress((index + 1) / parts.length);
  }
  return { text: texts.join(''), parts: parts.length, partsKeptRaw, maxTokens: answerTokens(room) };
}

interface Cleaning {
  readonly writer: Writer;
  tell(transcript: string, problem?: string): string;
  readonly answerTokens: number;
  readonly language: string;
}

/** Undefined where no answer had the words that were said. */
async function clean(
  part: string,
  { writer, tell, answerTokens, language }: Cleaning,
): Promise<string | undefined> {
  let problem: string | undefined;
  for (let attempt = 0; attempt < TRIES; attempt += 1) {
    try {
      const { text } = await writer.write(tell(part, problem), { maxTokens: answerTokens, attempt });
      const cleaned = text.trim();
      problem = changedWords(part, cleaned, language);
      if (problem === undefined) return cleaned;
    } catch (thrown) {
      problem = problemOf(thrown);
    }
  }
  return undefined;
}

function withSpacesOf(part: string, cleaned: string): string {
  const [before] = /^\s*/.exec(part)!;
  const [after] = /\s*$/.exec(part)!;
  return before + cleaned + after;
}
