/** Automata made directly: of given words, of lengths, and by a step function. */
import { LimitReached } from '../refusal.ts';
import { ANY_STRING, NO_STRING } from './automaton.ts';
import { EVERY_CODE_POINT, pairsOf } from './code-points.ts';
import { minimise } from './minimise.ts';
import { type Automaton, type Edge, MAX_STATES } from './states.ts';

/** Characters of all words of one set together. */
const MAX_WORD_CHARACTERS = 2_000_000;

const LONE_SURROGATE = /\p{Surrogate}/u;

/** Exactly these strings; those with lone surrogates are left out, as nothing can write them. */
export function words(texts: Iterable<string>): Automaton {
  const next: Map<number, number>[] = [new Map()];
  const accepting = [false];
  for (const text of texts) {
    if (LONE_SURROGATE.test(text)) continue;
    let state = 0;
    for (const character of text) {
      const code = character.codePointAt(0)!;
      let target = next[state]!.get(code);
      if (target === undefined) {
        target = next.push(new Map()) - 1;
        accepting.push(false);
        next[state]!.set(code, target);
      }
      state = target;
    }
    accepting[state] = true;
    if (next.length > MAX_WORD_CHARACTERS) {
      throw new LimitReached(`its words have more than ${MAX_WORD_CHARACTERS} characters`);
    }
  }
  const edges = next.map((targets) =>
    [...targets].sort(([a], [b]) => a - b).map(([code, to]): Edge => ({ first: code, last: code, to })),
  );
  return minimise({ edges, accepting });
}

/** Strings by their length in code points. */
export function lengths(least: number, most: number): Automaton {
  if (least > most) return NO_STRING;
  if (least === 0 && most === Infinity) return ANY_STRING;
  const last = most === Infinity ? least : most;
  const every = pairsOf(EVERY_CODE_POINT);
  const edges: Edge[][] = [];
  const accepting: boolean[] = [];
  for (let length = 0; length <= last; length += 1) {
    const to = length < last ? length + 1 : length;
    const ends = length === last && most !== Infinity;
    edges.push(ends ? [] : every.map(([first, end]) => ({ first, last: end, to })));
    accepting.push(length >= least);
  }
  return { edges, accepting };
}

/** A machine over few characters, its states named by strings. */
export interface Machine {
  readonly start: string;
  readonly alphabet: string;
  /** Undefined where no string goes on so. */
  step(state: string, character: string): string | undefined;
  accepts(state: string): boolean;
}

export function automatonOf({ start, alphabet, step, accepts }: Machine): Automaton {
  const names = [start];
  const states = new Map([[start, 0]]);
  const characters = [...alphabet].sort();
  const edges: Edge[][] = [];
  for (let state = 0; state < names.length; state += 1) {
    const list: Edge[] = [];
    for (const character of characters) {
      const name = step(names[state]!, character);
      if (name === undefined) continue;
      const to = states.get(name) ?? names.push(name) - 1;
      states.set(name, to);
      const code = character.charCodeAt(0);
      list.push({ first: code, last: code, to });
    }
    edges.push(list);
    if (names.length > MAX_STATES) throw new LimitReached(`it needs more than ${MAX_STATES} states`);
  }
  return minimise({ edges, accepting: names.map(accepts) });
}
