/**
 * When each word of a window was said, from the times of its tokens (openai/whisper timing.py, `add_word_timestamps`). The attention
 * knows where words begin better than where they end: a word before a pause seems to last until the next one, so what is much longer
 * than the window's other words is shortened.
 */
import type { Word } from '../transcript.ts';
import type { TokenRun } from './segments.ts';
import { mergePunctuation, splitWords } from './word-split.ts';

/** A typical word is taken to be no longer than this. */
const MAX_TYPICAL_SECONDS = 0.7;
/** A segment's own timestamp is preferred to a word's time that lies further outside than this. */
const TRUSTED_SECONDS = 0.5;
const SENTENCE_END = '.。!！?？';

export interface WordContext {
  /** The text that each text token of a run completes. */
  pieces(tokens: readonly number[]): readonly string[];
  /** Of the text. */
  readonly language: string;
  /** Where the speech before this window ended, in seconds from the window's start: usually negative. */
  readonly spokenUntilSeconds: number;
  /** No word lies behind it. */
  readonly limitSeconds: number;
}

/** The words of one segment and, from them, its times; all in seconds from the window's start. */
export interface TimedRun {
  readonly startSeconds: number;
  readonly endSeconds: number;
  /** Their texts join to the run's; their times never decrease. */
  readonly words: readonly Word[];
}

interface DraftWord {
  readonly text: string;
  start: number;
  end: number;
}

/** `tokenTimes` are those of all text tokens of the runs (`alignText`), which are all runs of one window. */
export function timeRuns(
  runs: readonly TokenRun[],
  tokenTimes: readonly number[],
  context: WordContext,
): TimedRun[] {
  let token = 0;
  const drafts = runs.map((run) =>
    splitWords(context.pieces(run.tokens), context.language).map(({ text, tokens }): DraftWord => {
      const start = tokenTimes[token]!;
      token += tokens;
      return { text, start, end: tokenTimes[token]! };
    }),
  );
  const typical = typicalSeconds(drafts.flat());
  shortenAtSentenceEnds(drafts.flat(), typical);
  let spokenUntil = context.spokenUntilSeconds;
  return runs.map((run, index) => {
    const words = mergePunctuation(drafts[index]!);
    shortenAfterPause(words, { spokenUntil, typical });
    keepToRun(words, run, typical);
    const within = inOrder(words, Math.max(0, spokenUntil), context.limitSeconds);
    const timed = {
      startSeconds: within.at(0)?.startSeconds ?? run.startSeconds,
      endSeconds: within.at(-1)?.endSeconds ?? run.endSeconds,
      words: within,
    };
    spokenUntil = timed.endSeconds;
    return timed;
  });
}

/** The median of the words that last at all; 0 when none does. */
function typicalSeconds(words: readonly DraftWord[]): number {
  const lengths = words.map(({ start, end }) => end - start).filter((length) => length > 0);
  if (lengths.length === 0) return 0;
  lengths.sort((a, b) => a - b);
  const middle = lengths.length / 2;
  const median = (lengths[Math.ceil(middle) - 1]! + lengths[Math.floor(middle)]!) / 2;
  return Math.min(MAX_TYPICAL_SECONDS, median);
}

/** A full stop or the first word of a sentence takes the pause between them for its own. */
function shortenAtSentenceEnds(words: readonly DraftWord[], typical: number): void {
  const longest = 2 * typical;
  if (longest === 0) return;
  for (const [index, word] of words.entries()) {
    const previous = words[index - 1];
    if (previous === undefined || word.end - word.start <= longest) continue;
    if (SENTENCE_END.includes(word.text)) word.end = word.start + longest;
    else if (SENTENCE_END.includes(previous.text)) word.start = word.end - longest;
  }
}

/** So do the first two words after a pause. */
function shortenAfterPause(
  [first, second]: readonly DraftWord[],
  { spokenUntil, typical }: { spokenUntil: number; typical: number },
): void {
  const longest = 2 * typical;
  if (first === undefined || first.end - spokenUntil <= 2 * longest) return;
  const isLong = first.end - first.start > longest;
  const areLong = second !== undefined && second.end - first.start > 2 * longest;
  if (!isLong && !areLong) return;
  if (second !== undefined && second.end - second.start > longest) {
    first.end = second.end - longest;
    second.start = first.end;
  }
  first.start = Math.max(first.start, first.end - longest);
}

/** A first or last word that reaches far over its segment's own timestamp is cut there. */
function keepToRun(words: readonly DraftWord[], run: TokenRun, typical: number): void {
  const [first, last] = [words.at(0), words.at(-1)];
  if (first === undefined || last === undefined) return;
  if (run.startSeconds < first.end && run.startSeconds - TRUSTED_SECONDS > first.start)
    first.start = Math.max(first.start, Math.min(first.end - typical, run.startSeconds));
  if (run.endSeconds > last.start && run.endSeconds + TRUSTED_SECONDS < last.end)
    last.end = Math.min(last.end, Math.max(last.start + typical, run.endSeconds));
}

/** Each word begins at or behind the end of the one before it. */
function inOrder(words: readonly DraftWord[], from: number, limit: number): Word[] {
  let last = Math.min(from, limit);
  return words.map(({ text, start, end }) => {
    const startSeconds = Math.min(limit, Math.max(last, start));
    const endSeconds = Math.min(limit, Math.max(startSeconds, end));
    last = endSeconds;
    return { text, startSeconds, endSeconds };
  });
}
