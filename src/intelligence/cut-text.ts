/** Cuts a text that is too long for a model into parts that are not; joined, the parts are the text to the letter. */
import { AppError } from '../base/errors.ts';

export interface CutOptions {
  /** Tokens that a part may have. */
  readonly room: number;
  countTokens(part: string): Promise<number>;
  /** Places in the text that are better than any between words: where the speaker paused. Ascending. */
  readonly pauses: readonly number[];
}

/** Parts of about equal length, cut where a sentence ends if one does nearby, else at a pause, a word, or between characters. */
export async function cutText(text: string, options: CutOptions): Promise<string[]> {
  return cut(text, 0, { ...options, sentences: sentenceEnds(text) });
}

/** Where the text of each piece ends in all of them joined and trimmed, as transcripts are. */
export function pausesOf(pieces: readonly { readonly text: string }[]): number[] {
  const lead = pieces.map(({ text }) => text).join('');
  let at = lead.trimStart().length - lead.length;
  return pieces.map(({ text }) => {
    at += text.length;
    return at;
  });
}

interface Cutting extends CutOptions {
  readonly sentences: readonly number[];
}

/** What the parts are planned to have of the room: tokens are not spread evenly. */
const FILLED = 0.9;
/** How far from its planned place a cut may be, in parts of a part. */
const TOLERANCE = 0.3;

async function cut(text: string, offset: number, options: Cutting): Promise<string[]> {
  const tokens = await options.countTokens(text);
  if (tokens <= options.room) return [text];
  const count = Math.max(2, Math.ceil(tokens / (options.room * FILLED)));
  const places = placesFor(text, offset, { ...options, length: text.length / count });
  if (places.length === 0)
    throw new AppError(
      'context_exceeded',
      `No part of the transcript fits: a part may have ${options.room} tokens. Raise language.context_tokens, or take a model with a larger context.`,
    );
  const parts: string[] = [];
  for (const [index, start] of [0, ...places].entries())
    parts.push(...(await cut(text.slice(start, places[index] ?? text.length), offset + start, options)));
  return parts;
}

/** Ascending places within the text, none at its ends. */
function placesFor(
  text: string,
  offset: number,
  { length, sentences, pauses }: Cutting & { readonly length: number },
): number[] {
  const places: number[] = [];
  for (let planned = length; planned < text.length - length / 2; planned += length) {
    const from = Math.max((places.at(-1) ?? 0) + 1, Math.ceil(planned - TOLERANCE * length));
    const to = Math.min(text.length - 1, Math.floor(planned + TOLERANCE * length));
    const window = { from, to, planned };
    const place =
      nearest(sentences, offset, window) ??
      nearest(pauses, offset, window) ??
      nearest(wordEnds(text.slice(from, to + 1)), -from, window) ??
      betweenCharacters(text, window);
    if (place !== undefined) places.push(place);
  }
  return places;
}

interface Window {
  readonly from: number;
  readonly to: number;
  readonly planned: number;
}

/** Of places counted from `offset` before the text, the one within the window that is closest to the plan. */
function nearest(
  places: readonly number[],
  offset: number,
  { from, to, planned }: Window,
): number | undefined {
  let best: number | undefined;
  for (const absolute of places) {
    const place = absolute - offset;
    if (place < from || place > to) continue;
    if (best === undefined || Math.abs(place - planned) < Math.abs(best - planned)) best = place;
  }
  return best;
}

function betweenCharacters(text: string, { from, to, planned }: Window): number | undefined {
  if (from > to) return undefined;
  const place = Math.min(to, Math.max(from, Math.round(planned)));
  const isInside = /[\uDC00-\uDFFF]/.test(text[place]!) && /[\uD800-\uDBFF]/.test(text[place - 1]!);
  if (!isInside) return place;
  return place + 1 <= to ? place + 1 : undefined;
}

/** Not the machine's own locale: the same text is cut at the same places everywhere. */
const RULES = 'en';
const SENTENCES = new Intl.Segmenter(RULES, { granularity: 'sentence' });
const WORDS = new Intl.Segmenter(RULES, { granularity: 'word' });

function sentenceEnds(text: string): number[] {
  return Array.from(SENTENCES.segment(text), ({ index, segment }) => index + segment.length);
}

/** Where words begin, behind white space; in scripts without spaces, between words. */
function wordEnds(text: string): number[] {
  return Array.from(WORDS.segment(text)).flatMap(({ index, isWordLike }) =>
    isWordLike && index > 0 ? [index] : [],
  );
}
