/** Deterministic finite automata over code points: what `automaton.ts` computes with. */
export interface Edge {
  /** First and last code point. */
  readonly first: number;
  readonly last: number;
  readonly to: number;
}

/** State 0 is the start; edges are sorted and disjoint; where there is none the string is not in the set. */
export interface Automaton {
  readonly edges: readonly (readonly Edge[])[];
  readonly accepting: readonly boolean[];
}

/** More would take seconds, and make a grammar that no sampler likes. */
export const MAX_STATES = 20_000;
