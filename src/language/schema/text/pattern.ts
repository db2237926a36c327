/** Patterns as automata: Thompson's construction, then subsets of its states. */
import { LimitReached } from '../refusal.ts';
import { complement, intersect } from './automaton.ts';
import { EVERY_CODE_POINT, pairsOf } from './code-points.ts';
import { minimise } from './minimise.ts';
import { type Pattern, parsePattern, UnsupportedPattern } from './pattern-parser.ts';
import { type Automaton, type Edge, MAX_STATES } from './states.ts';

/** The strings in which `pattern` matches somewhere, as `RegExp.test` says with the `u` flag. */
export function patternStrings(source: string): Automaton {
  const pattern = parsePattern(source);
  const { looks, rest } = leadingLooks(pattern);
  let set = search(rest);
  for (const { part, negative } of looks) {
    const seen = search({ kind: 'sequence', parts: [{ kind: 'start' }, part] });
    set = intersect(set, negative ? complement(seen) : seen);
  }
  return set;
}

type Look = Extract<Pattern, { kind: 'ahead' }>;

/** Lookahead at the start of the string is an intersection; elsewhere it is refused. */
function leadingLooks(pattern: Pattern): { looks: Look[]; rest: Pattern } {
  if (pattern.kind !== 'sequence' || pattern.parts[0]?.kind !== 'start') return { looks: [], rest: pattern };
  const [start, ...parts] = pattern.parts;
  const end = parts.findIndex(({ kind }) => kind !== 'ahead');
  const looks = end < 0 ? parts : parts.slice(0, end);
  return {
    looks: looks.filter((part) => part.kind === 'ahead'),
    rest: { kind: 'sequence', parts: [start!, ...parts.slice(looks.length)] },
  };
}

type Condition = 'always' | 'start' | 'end';

interface Nfa {
  readonly jumps: { readonly to: number; readonly when: Condition }[][];
  readonly edges: Edge[][];
}

/** Steps of building subsets: a pattern that needs more would hold the thread for seconds. */
const MAX_STEPS = 3_000_000;

function search(pattern: Pattern): Automaton {
  const nfa: Nfa = { jumps: [], edges: [] };
  const anything: Pattern = {
    kind: 'repeat',
    part: { kind: 'set', set: EVERY_CODE_POINT },
    least: 0,
    most: Infinity,
  };
  const start = newState(nfa);
  const begin = build(nfa, anything, start);
  const matched = build(nfa, pattern, begin);
  return minimise(subsets(nfa, start, matched));
}

function newState(nfa: Nfa): number {
  if (nfa.edges.length >= MAX_STATES) throw new LimitReached(`it needs more than ${MAX_STATES} states`);
  nfa.jumps.push([]);
  return nfa.edges.push([]) - 1;
}

/** Adds the states of `pattern` after the state `from`; returns the state after it. */
function build(nfa: Nfa, pattern: Pattern, from: number): number {
  switch (pattern.kind) {
    case 'set': {
      const to = newState(nfa);
      for (const [first, last] of pairsOf(pattern.set)) nfa.edges[from]!.push({ first, last, to });
      return to;
    }
    case 'start':
    case 'end':
      return jump(nfa, from, newState(nfa), pattern.kind);
    case 'sequence':
      return pattern.parts.reduce((state, part) => build(nfa, part, state), from);
    case 'choice': {
      const to = newState(nfa);
      for (const part of pattern.parts) jump(nfa, build(nfa, part, jump(nfa, from, newState(nfa))), to);
      return to;
    }
    case 'repeat':
      return repeat(nfa, pattern, from);
    case 'ahead':
      throw new UnsupportedPattern(
        'lookahead is supported only directly after the ^ that begins the pattern',
      );
  }
}

function jump(nfa: Nfa, from: number, to: number, when: Condition = 'always'): number {
  nfa.jumps[from]!.push({ to, when });
  return to;
}

function repeat(nfa: Nfa, { part, least, most }: Extract<Pattern, { kind: 'repeat' }>, from: number): number {
  let state = jump(nfa, from, newState(nfa));
  for (let count = 0; count < least; count += 1) state = build(nfa, part, state);
  const to = newState(nfa);
  if (most === Infinity) {
    const loop = jump(nfa, state, newState(nfa));
    jump(nfa, build(nfa, part, loop), loop);
    return jump(nfa, loop, to);
  }
  for (let count = least; count < most; count += 1) {
    jump(nfa, state, to);
    state = build(nfa, part, state);
  }
  return jump(nfa, state, to);
}

function subsets(nfa: Nfa, start: number, matched: number): Automaton {
  const states = new Map<string, number>();
  const members: (readonly number[])[] = [];
  let steps = 0;
  const stateOf = (set: readonly number[]): number => {
    // After a match that does not ask for the end anything may follow.
    const kept = set.includes(matched) ? [matched] : set;
    const key = kept.join();
    let state = states.get(key);
    if (state === undefined) {
      state = members.push(kept) - 1;
      states.set(key, state);
    }
    if (members.length > MAX_STATES) throw new LimitReached(`it needs more than ${MAX_STATES} states`);
    return state;
  };
  stateOf(closure(nfa, [start], ['always', 'start']));
  const edges: Edge[][] = [];
  const accepting: boolean[] = [];
  for (let state = 0; state < members.length; state += 1) {
    const set = members[state]!;
    const conditions: Condition[] = state === 0 ? ['always', 'start', 'end'] : ['always', 'end'];
    accepting.push(closure(nfa, set, conditions).includes(matched));
    if (set[0] === matched && set.length === 1) {
      edges.push(pairsOf(EVERY_CODE_POINT).map(([first, last]) => ({ first, last, to: state })));
      continue;
    }
    const list: Edge[] = [];
    for (const { first, last, targets } of pieces(set.flatMap((member) => nfa.edges[member]!))) {
      const next = closure(nfa, targets, ['always']);
      steps += next.length + targets.length;
      if (steps > MAX_STEPS) throw new LimitReached('it takes too long to work out');
      list.push({ first, last, to: stateOf(next) });
    }
    edges.push(list);
  }
  return { edges, accepting };
}

/** What can be reached without a character, sorted. */
function closure(nfa: Nfa, from: readonly number[], conditions: readonly Condition[]): number[] {
  const found = new Set(from);
  for (const state of found) {
    for (const { to, when } of nfa.jumps[state]!) if (conditions.includes(when)) found.add(to);
  }
  return [...found].sort((a, b) => a - b);
}

/** Edges cut where any of them begins or ends, with all targets of each piece. */
function pieces(edges: readonly Edge[]): { first: number; last: number; targets: number[] }[] {
  const starts = new Set<number>();
  for (const { first, last } of edges) starts.add(first).add(last + 1);
  const sorted = [...starts].sort((a, b) => a - b);
  const places = new Map(sorted.map((start, index) => [start, index]));
  const targets: Set<number>[] = sorted.map(() => new Set());
  for (const { first, last, to } of edges) {
    for (let place = places.get(first)!; place < places.get(last + 1)!; place += 1) targets[place]!.add(to);
  }
  return sorted.flatMap((first, index) => {
    const last = sorted[index + 1];
    if (last === undefined || targets[index]!.size === 0) return [];
    return [{ first, last: last - 1, targets: [...targets[index]!] }];
  });
}

/** A set of strings given by the pattern of a whole one: for those that the program itself describes. */
export function wholeStrings(source: string): Automaton {
  return patternStrings(`^(?:${source})$`);
}
