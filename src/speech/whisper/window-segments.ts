/** From what was decoded of one window to segments, with their places in the recording. */
import type { Segment } from '../transcript.ts';
import { HOP_SAMPLES, SAMPLE_RATE } from './mel.ts';
import type { Recognised } from './recognise.ts';
import { cutAtTimestamps, type TokenRuns } from './segments.ts';
import type { Tokenizer } from './tokenizer.ts';
import type { WhisperTokens } from './tokens.ts';
import type { Window } from './windows.ts';
import { type TimedRun, timeRuns } from './word-times.ts';

export interface WindowContext {
  readonly tokens: WhisperTokens;
  readonly tokenizer: Tokenizer;
  /** Of the text. */
  readonly language: string;
  readonly durationSeconds: number;
  /** Where the segment before this window ends; 0 if there is none. */
  readonly spokenUntilSeconds: number;
}

export interface WindowSegments {
  readonly segments: readonly Omit<Segment, 'id'>[];
  /** The sample up to which the text goes, by its own timestamps. */
  readonly heard: number;
}

/** How far a text's last timestamp may lie before the end of its last word: small models give whole seconds. */
const TIMESTAMP_ERROR_SECONDS = 1;

/** A silent window has no segments; where token times are known, the segments have words. */
export function windowSegments(window: Window, result: Recognised, context: WindowContext): WindowSegments {
  const { tokenizer, tokens, durationSeconds } = context;
  const offset = window.start / SAMPLE_RATE;
  const windowSeconds = (window.end - window.start) / SAMPLE_RATE;
  const cut = cutAtTimestamps(result.tokens, tokens.firstTimestamp, windowSeconds);
  const timed = wordsOf(cut, result, { ...context, offset, windowSeconds });
  const place = (seconds: number) => Math.min(durationSeconds, roundToMs(offset + seconds));
  const segments = cut.runs.flatMap((run, index) => {
    const text = tokenizer.decode(run.tokens);
    if (result.isSilent || text.trim() === '' || run.startSeconds >= windowSeconds) return [];
    const { startSeconds, endSeconds, words } = timed?.[index] ?? { ...run, words: undefined };
    const segment: Omit<Segment, 'id'> = {
      seek: Math.round(window.start / HOP_SAMPLES),
      startSeconds: place(startSeconds),
      endSeconds: place(endSeconds),
      text,
      tokens: run.tokens,
      temperature: result.temperature,
      avgLogprob: result.avgLogprob,
      compressionRatio: result.compressionRatio,
      noSpeechProb: result.noSpeechProb,
    };
    if (words === undefined) return [segment];
    const placed = words.map((word) => ({
      text: word.text,
      startSeconds: place(word.startSeconds),
      endSeconds: place(word.endSeconds),
    }));
    return [{ ...segment, words: placed }];
  });
  return { segments, heard: window.start + Math.round(cut.heardSeconds * SAMPLE_RATE) };
}

function wordsOf(
  { runs, heardSeconds }: TokenRuns,
  { tokenTimes }: Recognised,
  context: WindowContext & { readonly offset: number; readonly windowSeconds: number },
): TimedRun[] | undefined {
  if (tokenTimes === undefined) return undefined;
  return timeRuns(runs, tokenTimes, {
    pieces: context.tokenizer.pieces,
    language: context.language,
    spokenUntilSeconds: context.spokenUntilSeconds - context.offset,
    // What comes after the text's end is another window's, if it is anything.
    limitSeconds: Math.min(context.windowSeconds, heardSeconds + TIMESTAMP_ERROR_SECONDS),
  });
}

function roundToMs(seconds: number): number {
  return Math.round(seconds * 1000) / 1000;
}
