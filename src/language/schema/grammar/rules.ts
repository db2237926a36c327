/** A context-free grammar under construction, and its clean-up. */

import { LimitReached } from '../refusal.ts';
import type { CodePoints } from '../text/code-points.ts';

export type GrammarSymbol =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'set'; readonly set: CodePoints }
  | { readonly kind: 'rule'; readonly rule: number };

export type Alternative = readonly GrammarSymbol[];

export interface Rule {
  readonly hint: string;
  alternatives: readonly Alternative[];
}

/** Rules are numbers from the moment that they are named, and may refer to one another before they are defined. */
export interface Rules {
  readonly all: readonly Rule[];
  /** A new rule; `hint` becomes part of its name. */
  name(hint: string): number;
  define(rule: number, alternatives: readonly Alternative[]): void;
  /** A new rule with these alternatives. */
  add(hint: string, alternatives: readonly Alternative[]): number;
}

export const text = (value: string): GrammarSymbol => ({ kind: 'text', text: value });
export const refer = (rule: number): GrammarSymbol => ({ kind: 'rule', rule });

/** `mostRules` counts those before the clean-up too: they take the time. */
export function createRules(mostRules: number): Rules {
  const all: Rule[] = [];
  function name(hint: string): number {
    if (all.length >= mostRules) throw new LimitReached(`the grammar has more than ${mostRules} rules`);
    return all.push({ hint, alternatives: [] }) - 1;
  }
  function define(rule: number, alternatives: readonly Alternative[]): void {
    all[rule]!.alternatives = alternatives;
  }
  return {
    all,
    name,
    define,
    add(hint, alternatives) {
      const rule = name(hint);
      define(rule, alternatives);
      return rule;
    },
  };
}

/**
 * Takes out what can never come to an end, as generation would lead into it and stay there. What is left of the root is empty if the
 * grammar has no text at all.
 */
export function removeEndless(rules: readonly Rule[]): Rule[] {
  const uses: [rule: number, alternative: number][][] = rules.map(() => []);
  const missing = rules.map(({ alternatives }) => alternatives.map(() => 0));
  const ends = new Array<boolean>(rules.length).fill(false);
  const queue: number[] = [];
  const end = (rule: number) => {
    if (!ends[rule]) queue.push(rule);
    ends[rule] = true;
  };
  for (const [rule, { alternatives }] of rules.entries()) {
    for (const [index, symbols] of alternatives.entries()) {
      for (const symbol of symbols) {
        if (symbol.kind !== 'rule') continue;
        uses[symbol.rule]!.push([rule, index]);
        missing[rule]![index]! += 1;
      }
      if (missing[rule]![index] === 0) end(rule);
    }
  }
  for (let rule = queue.pop(); rule !== undefined; rule = queue.pop()) {
    for (const [user, index] of uses[rule]!) {
      missing[user]![index]! -= 1;
      if (missing[user]![index] === 0) end(user);
    }
  }
  return rules.map(({ hint, alternatives }, rule) => ({
    hint,
    alternatives: alternatives.filter((_, index) => missing[rule]![index] === 0),
  }));
}

/** Rules that only name another are passed over: each is a step of the sampler. */
export function withoutAliases(rules: readonly Rule[]): Rule[] {
  const meant = (rule: number): number => {
    const seen = new Set<number>();
    for (let found = rule; ; ) {
      const { alternatives } = rules[found]!;
      const only =
        alternatives.length === 1 && alternatives[0]!.length === 1 ? alternatives[0]![0] : undefined;
      if (only?.kind !== 'rule' || seen.has(found)) return found;
      seen.add(found);
      found = only.rule;
    }
  };
  return rules.map(({ hint, alternatives }) => ({
    hint,
    alternatives: alternatives.map((symbols) =>
      symbols.map((symbol) => (symbol.kind === 'rule' ? refer(meant(symbol.rule)) : symbol)),
    ),
  }));
}
