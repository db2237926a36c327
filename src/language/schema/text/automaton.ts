/**
 * Sets of strings as deterministic finite automata over code points. Patterns, lengths, enumerations, names of properties and the
 * texts of numbers all become these, so that `allOf` is an intersection and `not` a difference, exactly.
 */
import { LimitReached } from '../refusal.ts';
import { EVERY_CODE_POINT, pairsOf } from './code-points.ts';
import { hasLoop, minimise } from './minimise.ts';
import { type Automaton, type Edge, MAX_STATES } from './states.ts';

export const NO_STRING: Automaton = { edges: [[]], accepting: [false] };

export const ANY_STRING: Automaton = {
  edges: [pairsOf(EVERY_CODE_POINT).map(([first, last]) => ({ first, last, to: 0 }))],
  accepting: [true],
};

/** Sets are kept trimmed: a set without an accepting state has no other state either. */
export function isEmpty(set: Automaton): boolean {
  return set.accepting.length === 1 && set.accepting[0] === false;
}

export function isFiniteSet(set: Automaton): boolean {
  return !hasLoop(set);
}

export function intersect(a: Automaton, b: Automaton): Automaton {
  if (a === b || b === ANY_STRING || isEmpty(a)) return a;
  if (a === ANY_STRING || isEmpty(b)) return b;
  return remembered(INTERSECTIONS, a, b, () => combine(a, b, (inA, inB) => inA && inB));
}

/** What is in `a` and not in `b`. */
export function subtract(a: Automaton, b: Automaton): Automaton {
  if (isEmpty(a) || isEmpty(b)) return a;
  if (a === b || b === ANY_STRING) return NO_STRING;
  return remembered(DIFFERENCES, a, b, () => combine(a, b, (inA, inB) => inA && !inB));
}

export function unite(a: Automaton, b: Automaton): Automaton {
  if (a === b || a === ANY_STRING || isEmpty(b)) return a;
  if (b === ANY_STRING || isEmpty(a)) return b;
  return remembered(UNIONS, a, b, () => combine(a, b, (inA, inB) => inA || inB));
}

export function complement(set: Automaton): Automaton {
  return subtract(ANY_STRING, set);
}

export function accepts(set: Automaton, text: string): boolean {
  let state = 0;
  for (const character of text) {
    const code = character.codePointAt(0)!;
    const edge = set.edges[state]!.find(({ first, last }) => first <= code && code <= last);
    if (edge === undefined) return false;
    state = edge.to;
  }
  return set.accepting[state]!;
}

/** Results by their operands, for as long as these live: schemas ask for the same integers, names and numbers again and again. */
type Results = WeakMap<Automaton, WeakMap<Automaton, Automaton>>;
const INTERSECTIONS: Results = new WeakMap();
const DIFFERENCES: Results = new WeakMap();
const UNIONS: Results = new WeakMap();

function remembered(results: Results, a: Automaton, b: Automaton, work: () => Automaton): Automaton {
  const byB = results.get(a) ?? new WeakMap<Automaton, Automaton>();
  results.set(a, byB);
  const found = byB.get(b) ?? work();
  byB.set(b, found);
  return found;
}

/** In neither set any more. */
const NOWHERE = -1;

/** The product automaton: `keep` says of a string, by the sets that it is in, whether it stays; never one that is in neither. */
function combine(a: Automaton, b: Automaton, keep: (inA: boolean, inB: boolean) => boolean): Automaton {
  const needsA = !keep(false, true);
  const needsB = !keep(true, false);
  const states = new Map<number, number>();
  const pairs: [number, number][] = [];
  const width = b.accepting.length + 1;
  const stateOf = (inA: number, inB: number): number => {
    const key = (inA + 1) * width + inB + 1;
    let state = states.get(key);
    if (state === undefined) {
      state = pairs.push([inA, inB]) - 1;
      if (state >= MAX_STATES) throw new LimitReached(`it needs more than ${MAX_STATES} states`);
      states.set(key, state);
    }
    return state;
  };
  stateOf(0, 0);
  const edges: Edge[][] = [];
  const accepting: boolean[] = [];
  for (let state = 0; state < pairs.length; state += 1) {
    const [inA, inB] = pairs[state]!;
    accepting.push(keep(a.accepting[inA] ?? false, b.accepting[inB] ?? false));
    const found: Edge[] = [];
    for (const [first, last, toA, toB] of overlay(a.edges[inA] ?? [], b.edges[inB] ?? [])) {
      if ((needsA && toA === NOWHERE) || (needsB && toB === NOWHERE)) continue;
      found.push({ first, last, to: stateOf(toA, toB) });
    }
    edges.push(found);
  }
  return minimise({ edges, accepting });
}

/** Both lists of edges cut at one another's ends: `[first, last, target in a, target in b]`. */
function overlay(a: readonly Edge[], b: readonly Edge[]): [number, number, number, number][] {
  const pieces: [number, number, number, number][] = [];
  let next = 0;
  for (let i = 0, j = 0; i < a.length || j < b.length; ) {
    const edgeA = a[i];
    const edgeB = b[j];
    const startA = Math.max(edgeA?.first ?? Infinity, next);
    const startB = Math.max(edgeB?.first ?? Infinity, next);
    const start = Math.min(startA, startB);
    const inA = startA === start;
    const inB = startB === start;
    const last = Math.min(inA ? edgeA!.last : startA - 1, inB ? edgeB!.last : startB - 1);
    pieces.push([start, last, inA ? edgeA!.to : NOWHERE, inB ? edgeB!.to : NOWHERE]);
    next = last + 1;
    if (edgeA !== undefined && edgeA.last < next) i += 1;
    if (edgeB !== undefined && edgeB.last < next) j += 1;
  }
  return pieces;
}

/** Every string of the set, or undefined where there are more than `limit`. */
export function listStrings(set: Automaton, limit: number): string[] | undefined {
  const found: string[] = [];
  // No accepted string of a finite set passes a state twice.
  const longest = set.accepting.length;
  const walk = (state: number, text: string, length: number): boolean => {
    if (length > longest) return false;
    if (set.accepting[state]) found.push(text);
    if (found.length > limit) return false;
    for (const { first, last, to } of set.edges[state]!) {
      for (let code = first; code <= last; code += 1) {
        if (!walk(to, text + String.fromCodePoint(code), length + 1)) return false;
      }
    }
    return true;
  };
  return walk(0, '', 0) ? found : undefined;
}
