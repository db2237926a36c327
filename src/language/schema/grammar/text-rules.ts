/** Automata as rules: one for each state where texts part, so that at each character one rule alone goes on. */

import { type CodePoints, codePoints, complement, intersection, pairsOf } from '../text/code-points.ts';
import type { Automaton } from '../text/states.ts';
import { type Alternative, type GrammarSymbol, type Rules, refer, text } from './rules.ts';

/** What JSON.stringify writes with a backslash: control characters, the quotation mark, the backslash. */
const ESCAPED = codePoints([
  [0, 0x1f],
  [0x22, 0x22],
  [0x5c, 0x5c],
]);
const RAW = complement(ESCAPED);

export interface TextRules {
  /** A text of the set, as it is: for numbers. */
  plain(set: Automaton): GrammarSymbol;
  /** A text of the set within a JSON string, after the first quotation mark and with the last one. */
  quoted(set: Automaton): GrammarSymbol;
}

export function createTextRules(rules: Rules): TextRules {
  const known = { plain: new Map<string, number>(), quoted: new Map<string, number>() };
  const characters = new Map<string, number>();

  function ruleOf(set: Automaton, form: 'plain' | 'quoted'): GrammarSymbol {
    const key = JSON.stringify(set);
    const rule = known[form].get(key) ?? stateRules(set, form);
    known[form].set(key, rule);
    return refer(rule);
  }

  /** The rule of the start. */
  function stateRules({ edges, accepting }: Automaton, form: 'plain' | 'quoted'): number {
    const hint = form === 'quoted' ? 'text' : 'number';
    const end: Alternative = form === 'quoted' ? [text('"')] : [];
    const arrows = arrowCounts(edges);
    const ruleOfState = new Map<number, number>();
    const waiting: number[] = [];
    const stateRule = (state: number): number => {
      let rule = ruleOfState.get(state);
      if (rule === undefined) {
        rule = rules.name(hint);
        ruleOfState.set(state, rule);
        waiting.push(state);
      }
      return rule;
    };
    /** From a state on: without a rule of its own where there is only one way. */
    const onward = (from: number): Alternative => {
      let literal = '';
      for (let state = from; ; ) {
        const [edge, ...others] = edges[state]!;
        if (edge === undefined && accepting[state]) return withText(literal, end);
        const isStraight =
          edge !== undefined &&
          others.length === 0 &&
          edge.first === edge.last &&
          !accepting[state] &&
          arrows[state]! <= 1 &&
          !isEscaped(edge.first, form);
        if (!isStraight) return withText(literal, [refer(stateRule(state))]);
        literal += String.fromCodePoint(edge.first);
        state = edge.to;
      }
    };
    const start = stateRule(0);
    for (let state = waiting.pop(); state !== undefined; state = waiting.pop()) {
      const targets = new Map<number, [number, number][]>();
      for (const { first, last, to } of edges[state]!) {
        targets.set(to, [...(targets.get(to) ?? []), [first, last]]);
      }
      const alternatives = [...targets].flatMap(([to, pairs]) => {
        const rest = onward(to);
        return charactersOf(codePoints(pairs), form).map((symbols) => joined(symbols, rest));
      });
      rules.define(ruleOfState.get(state)!, accepting[state] ? [...alternatives, end] : alternatives);
    }
    return start;
  }

  /** One character of the set. */
  function charactersOf(set: CodePoints, form: 'plain' | 'quoted'): Alternative[] {
    const escaped = form === 'quoted' ? intersection(set, ESCAPED) : [];
    if (escaped.length === 0) return [[setSymbol(set)]];
    const key = set.join();
    let rule = characters.get(key);
    if (rule === undefined) {
      const raw = intersection(set, RAW);
      const plain: Alternative[] = raw.length === 0 ? [] : [[setSymbol(raw)]];
      rule = rules.add('char', [...plain, [text('\\'), refer(rules.add('escape', escapes(escaped, rules)))]]);
      characters.set(key, rule);
    }
    return [[refer(rule)]];
  }

  return {
    plain: (set) => ruleOf(set, 'plain'),
    quoted: (set) => ruleOf(set, 'quoted'),
  };
}

function setSymbol(set: CodePoints): GrammarSymbol {
  return set.length === 2 && set[0] === set[1] ? text(String.fromCodePoint(set[0]!)) : { kind: 'set', set };
}

/** How many edges lead to each state. */
function arrowCounts(edges: Automaton['edges']): number[] {
  const counts = edges.map(() => 0);
  for (const list of edges) for (const { to } of list) counts[to]! += 1;
  return counts;
}

function isEscaped(code: number, form: 'plain' | 'quoted'): boolean {
  return form === 'quoted' && (code < 0x20 || code === 0x22 || code === 0x5c);
}

function withText(literal: string, rest: Alternative): Alternative {
  return literal === '' ? rest : joined([text(literal)], rest);
}

/** One after the other, neighbouring texts made one. */
function joined(symbols: Alternative, rest: Alternative): Alternative {
  const last = symbols.at(-1);
  const next = rest[0];
  if (last?.kind !== 'text' || next?.kind !== 'text') return [...symbols, ...rest];
  return [...symbols.slice(0, -1), text(last.text + next.text), ...rest.slice(1)];
}

/** What JSON.stringify writes after the backslash: a letter, or four hexadecimal digits that begin with 00. */
function escapes(set: CodePoints, rules: Rules): Alternative[] {
  const short: [number, number][] = [];
  const byTens: [number, number][][] = [[], []];
  for (const [first, last] of pairsOf(set)) {
    for (let code = first; code <= last; code += 1) {
      const written = JSON.stringify(String.fromCodePoint(code)).slice(2, -1);
      const mark = written.charCodeAt(written.length - 1);
      (written.length === 1 ? short : byTens[code >> 4]!).push([mark, mark]);
    }
  }
  const long = byTens.flatMap((marks, tens): Alternative[] =>
    marks.length === 0 ? [] : [[text(String(tens)), setSymbol(codePoints(marks))]],
  );
  return [
    ...(short.length === 0 ? [] : [[setSymbol(codePoints(short))]]),
    ...(long.length === 0 ? [] : [[text('u00'), refer(rules.add('code', long))]]),
  ];
}
