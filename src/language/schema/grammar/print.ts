/** Rules as GBNF, the notation of llama.cpp (grammars/README.md and src/llama-grammar.cpp there). */
import { type CodePoints, pairsOf } from '../text/code-points.ts';
import type { Alternative, Rule } from './rules.ts';

/** The rules that `root` reaches, in the order in which they are met; it is called `name`, and where that is not `root` all other names begin with it. */
export function printGrammar(
  rules: readonly Rule[],
  root: number,
  name: string,
): { gbnf: string; rules: number } {
  const names = new Map<number, string>([[root, name]]);
  const prefix = name === 'root' ? '' : `${name}-`;
  const nameOf = (rule: number): string => {
    const name = names.get(rule) ?? `${prefix}${rules[rule]!.hint}-${names.size}`;
    names.set(rule, name);
    return name;
  };
  const lines: string[] = [];
  for (const [rule, name] of names) {
    const alternatives = rules[rule]!.alternatives.map((symbols) => printAlternative(symbols, nameOf));
    lines.push(`${name} ::= ${alternatives.join(' | ')}\n`);
  }
  return { gbnf: lines.join(''), rules: lines.length };
}

/** An alternative without symbols is the empty text. */
function printAlternative(symbols: Alternative, nameOf: (rule: number) => string): string {
  if (symbols.length === 0) return '""';
  const printed = symbols.map((symbol) => {
    if (symbol.kind === 'text') return printText(symbol.text);
    return symbol.kind === 'set' ? printSet(symbol.set) : nameOf(symbol.rule);
  });
  return printed.join(' ');
}

function printText(text: string): string {
  const characters = [...text].map((character) => {
    if (character === '"' || character === '\\') return `\\${character}`;
    const code = character.codePointAt(0)!;
    return code >= 0x20 && code !== 0x7f ? character : printCode(code);
  });
  return `"${characters.join('')}"`;
}

function printSet(set: CodePoints): string {
  const ranges = pairsOf(set).map(([first, last]) =>
    first === last ? printMember(first) : `${printMember(first)}-${printMember(last)}`,
  );
  return `[${ranges.join('')}]`;
}

/** Letters and digits as they are; all else by number, as `]`, `^`, `-` and `\` mean something in a class. */
function printMember(code: number): string {
  const character = String.fromCodePoint(code);
  return /[A-Za-z0-9 ]/.test(character) ? character : printCode(code);
}

function printCode(code: number): string {
  const hex = code.toString(16).toUpperCase();
  if (code <= 0xff) return `\\x${hex.padStart(2, '0')}`;
  return code <= 0xffff ? `\\u${hex.padStart(4, '0')}` : `\\U${hex.padStart(8, '0')}`;
}
