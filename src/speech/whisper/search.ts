/**
 * How one window's text is searched for: greedily, with a beam, or by drawing at a temperature. A search owns the hypotheses of
 * one window; the batch loop feeds it the decoder's rows and moves the cache as it says.
 */
import type { Candidate, LogitRules, Logits } from './logit-rules.ts';

export interface Hypothesis {
  /** Tokens after the prompt, without end-of-text. */
  readonly tokens: readonly number[];
  /** Sum of their log probabilities, end-of-text included. */
  readonly sumLogprob: number;
}

/** The next token of each row of the window, and the row it continues. */
export interface Advance {
  readonly parents: readonly number[];
  readonly tokens: readonly number[];
}

export interface Search {
  /** Takes the logits of the window's rows: one at the first step, then those that it has asked for. Undefined when the search has ended. */
  advance(logits: readonly Logits[]): Advance | undefined;
  /** The best hypothesis so far. */
  best(): Hypothesis;
}

export interface SearchOptions {
  readonly rules: LogitRules;
  readonly endOfText: number;
  /** Tokens from here on are times. */
  readonly firstTimestamp: number;
  /** Longest text in tokens; a search that reaches it ends there. */
  readonly maxTokens: number;
}

export type Method =
  | { readonly kind: 'beam'; readonly size: number }
  | { readonly kind: 'draw'; readonly temperature: number; readonly rows: number };

/** A hypothesis is given up when its log probability is this far below that of the best of as many tokens: it is less than a quarter as likely. */
const MARGIN = 1.5;

/** The most rows of one window at a step. */
export function rowsOf(method: Method): number {
  return method.kind === 'beam' ? method.size : method.rows;
}

/** How many best text tokens a step of this method looks at. */
export function candidatesOf(method: Method): number {
  return method.kind === 'beam' && method.size > 1 ? method.size + 1 : 1;
}

export function createSearch(method: Method, options: SearchOptions): Search {
  if (method.kind === 'draw') return drawSearch(method, options);
  return method.size === 1 ? greedySearch(options) : beamSearch(method.size, options);
}

function greedySearch({ rules, endOfText, maxTokens }: SearchOptions): Search {
  const tokens: number[] = [];
  let sumLogprob = 0;
  return {
    advance([logits]) {
      const [candidate] = rules.best(logits!, tokens, 1);
      if (candidate === undefined) return undefined;
      sumLogprob += candidate.logprob;
      if (candidate.token === endOfText) return undefined;
      tokens.push(candidate.token);
      return tokens.length >= maxTokens ? undefined : { parents: [0], tokens: [candidate.token] };
    },
    best: () => ({ tokens, sumLogprob }),
  };
}

/** Independent draws; the one with the highest mean log probability is kept. */
function drawSearch(method: { temperature: number; rows: number }, options: SearchOptions): Search {
  const { rules, endOfText, maxTokens } = options;
  const random = seededRandom();
  const draws = Array.from({ length: method.rows }, () => ({
    tokens: [] as number[],
    sumLogprob: 0,
    ended: false,
  }));
  return {
    advance(logits) {
      const next = draws.map((draw, row) => {
        if (draw.ended) return endOfText;
        const from = logits[Math.min(row, logits.length - 1)]!;
        const { token, logprob } = rules.draw(from, draw.tokens, { temperature: method.temperature, random });
        draw.sumLogprob += logprob;
        if (token === endOfText) draw.ended = true;
        else draw.tokens.push(token);
        if (draw.tokens.length >= maxTokens) draw.ended = true;
        return token;
      });
      if (draws.every((draw) => draw.ended)) return undefined;
      return { parents: draws.map((_, row) => Math.min(row, logits.length - 1)), tokens: next };
    },
    best: () => likeliest(draws),
  };
}

/**
 * Beam search as openai/whisper's `BeamSearchDecoder` with patience 1 (it ends when `size` hypotheses have ended), but for two things, which
 * lose no words and most of the rows (docs/benchmarks.md, "A beam that narrows"): hypotheses far behind the best are given up, and
 * those that differ in nothing but a time are one.
 */
function beamSearch(size: number, { rules, endOfText, firstTimestamp, maxTokens }: SearchOptions): Search {
  let beams: Hypothesis[] = [{ tokens: [], sumLogprob: 0 }];
  const finished: Hypothesis[] = [];

  /** The continuations of one hypothesis, best first, with the likeliest of all times. */
  function continuations(beam: Hypothesis, parent: number, logits: Logits): Extension[] {
    const candidates = rules.best(logits, beam.tokens, size + 1);
    const time = candidates.find(({ token }) => token >= firstTimestamp);
    return candidates
      .filter((candidate) => candidate === time || candidate.token < firstTimestamp)
      .map((candidate) => extend(beam, parent, candidate));
  }

  return {
    advance(logits) {
      const extended = beams
        .flatMap((beam, parent) => continuations(beam, parent, logits[parent]!))
        .sort((one, other) => other.sumLogprob - one.sumLogprob);
      const kept: Extension[] = [];
      for (const extension of extended) {
        if (kept.length === size || extension.sumLogprob < extended[0]!.sumLogprob - MARGIN) break;
        if (extension.token !== endOfText) kept.push(extension);
        else if (finished.length < size)
          finished.push({ tokens: extension.tokens.slice(0, -1), sumLogprob: extension.sumLogprob });
      }
      if (kept.length === 0) return undefined;
      beams = kept;
      if (finished.length >= size || kept[0]!.tokens.length >= maxTokens) return undefined;
      return { parents: kept.map(({ parent }) => parent), tokens: kept.map(({ token }) => token) };
    },
    best: () => likeliest(finished.length > 0 ? finished : beams),
  };
}

interface Extension extends Hypothesis {
  readonly parent: number;
  readonly token: number;
}

function extend(beam: Hypothesis, parent: number, { token, logprob }: Candidate): Extension {
  return { tokens: [...beam.tokens, token], sumLogprob: beam.sumLogprob + logprob, parent, token };
}

function likeliest(hypotheses: readonly Hypothesis[]): Hypothesis {
  return hypotheses.reduce((best, next) => (meanLogprob(next) > meanLogprob(best) ? next : best));
}

/** Mean log probability of a token, the end counted as one. */
export function meanLogprob({ tokens, sumLogprob }: Hypothesis): number {
  return sumLogprob / (tokens.length + 1);
}

/** Mulberry32 from a fixed seed: the same recording gives the same text every time. */
function seededRandom(): () => number {
  let state = 0x9e3779b9;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let value = Math.imul(state ^ (state >>> 15), 1 | state);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32 || Number.MIN_VALUE;
  };
}
