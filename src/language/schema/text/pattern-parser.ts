/** The regular expressions of ECMA-262 with the `u` flag, as far as they describe regular languages. */
import { LimitReached } from '../refusal.ts';
import { type CodePoints, codePoints, complement, EVERY_CODE_POINT, union } from './code-points.ts';

export type Pattern =
  | { readonly kind: 'set'; readonly set: CodePoints }
  | { readonly kind: 'sequence'; readonly parts: readonly Pattern[] }
  | { readonly kind: 'choice'; readonly parts: readonly Pattern[] }
  | { readonly kind: 'repeat'; readonly part: Pattern; readonly least: number; readonly most: number }
  | { readonly kind: 'start' | 'end' }
  /** `(?=...)` or `(?!...)`. */
  | { readonly kind: 'ahead'; readonly part: Pattern; readonly negative: boolean };

/** What a pattern has that no automaton of moderate size expresses. */
export class UnsupportedPattern extends Error {}

const DIGITS = codePoints([[0x30, 0x39]]);
const WORD = codePoints([
  [0x30, 0x39],
  [0x41, 0x5a],
  [0x5f, 0x5f],
  [0x61, 0x7a],
]);
/** WhiteSpace and LineTerminator of ECMA-262. */
const SPACE = codePoints([
  [0x9, 0xd],
  [0x20, 0x20],
  [0xa0, 0xa0],
  [0x1680, 0x1680],
  [0x2000, 0x200a],
  [0x2028, 0x2029],
  [0x202f, 0x202f],
  [0x205f, 0x205f],
  [0x3000, 0x3000],
  [0xfeff, 0xfeff],
]);
const NOT_LINE_END = complement(
  codePoints([
    [0xa, 0xa],
    [0xd, 0xd],
    [0x2028, 0x2029],
  ]),
);

const CLASS_ESCAPES: Readonly<Record<string, CodePoints>> = {
  d: DIGITS,
  D: complement(DIGITS),
  w: WORD,
  W: complement(WORD),
  s: SPACE,
  S: complement(SPACE),
};

const CONTROL_ESCAPES: Readonly<Record<string, number>> = { t: 9, n: 10, v: 11, f: 12, r: 13, 0: 0 };

/** Groups within groups: more are an attack. */
const MAX_DEPTH = 200;

/** `source` compiles as a RegExp with the `u` flag; throws `UnsupportedPattern` for what has no automaton. */
export function parsePattern(source: string): Pattern {
  const characters = [...source];
  let at = 0;
  let depth = 0;

  const peek = (text: string) => characters.slice(at, at + text.length).join('') === text;
  const take = (text: string): boolean => {
    if (!peek(text)) return false;
    at += text.length;
    return true;
  };

  function choice(): Pattern {
    depth += 1;
    if (depth > MAX_DEPTH) throw new LimitReached(`it has more than ${MAX_DEPTH} groups within groups`);
    const parts = [sequence()];
    while (take('|')) parts.push(sequence());
    depth -= 1;
    return parts.length === 1 ? parts[0]! : { kind: 'choice', parts };
  }

  function sequence(): Pattern {
    const parts: Pattern[] = [];
    while (at < characters.length && !peek('|') && !peek(')')) parts.push(quantified());
    return parts.length === 1 ? parts[0]! : { kind: 'sequence', parts };
  }

  function quantified(): Pattern {
    const part = atom();
    const range = quantifier();
    if (range === undefined) return part;
    take('?');
    return { kind: 'repeat', part, least: range[0], most: range[1] };
  }

  function quantifier(): [number, number] | undefined {
    if (take('*')) return [0, Infinity];
    if (take('+')) return [1, Infinity];
    if (take('?')) return [0, 1];
    if (!take('{')) return undefined;
    const text = until('}');
    const [least, most] = text.split(',');
    return [Number(least), most === undefined ? Number(least) : most === '' ? Infinity : Number(most)];
  }

  function atom(): Pattern {
    if (take('^')) return { kind: 'start' };
    if (take('$')) return { kind: 'end' };
    if (take('(')) return group();
    if (take('[')) return { kind: 'set', set: characterClass() };
    if (take('.')) return { kind: 'set', set: NOT_LINE_END };
    if (take('\\')) return { kind: 'set', set: escaped(false) };
    return { kind: 'set', set: one(characters[at++]!.codePointAt(0)!) };
  }

  function group(): Pattern {
    if (peek('?<=') || peek('?<!')) throw new UnsupportedPattern('lookbehind is not supported');
    const negative = take('?!');
    const ahead = negative || take('?=');
    if (!ahead && !take('?:')) {
      if (take('?<')) until('>');
      else if (peek('?')) throw new UnsupportedPattern('modifiers are not supported');
    }
    const part = choice();
    take(')');
    return ahead ? { kind: 'ahead', part, negative } : part;
  }

  function characterClass(): CodePoints {
    const negated = take('^');
    const sets: CodePoints[] = [];
    while (!take(']')) {
      const first = classAtom();
      if (peek('-') && characters[at + 1] !== ']' && first.length === 2 && first[0] === first[1]) {
        take('-');
        sets.push(codePoints([[first[0]!, classAtom()[0]!]]));
      } else sets.push(first);
    }
    const set = union(...sets);
    return negated ? complement(set) : set;
  }

  function classAtom(): CodePoints {
    if (take('\\')) return escaped(true);
    return one(characters[at++]!.codePointAt(0)!);
  }

  function escaped(inClass: boolean): CodePoints {
    const letter = characters[at++]!;
    const set = CLASS_ESCAPES[letter];
    if (set !== undefined) return set;
    const control = CONTROL_ESCAPES[letter];
    if (control !== undefined) return one(control);
    if (letter === 'b' && inClass) return one(8);
    if (letter === 'b' || letter === 'B') throw new UnsupportedPattern('word boundaries are not supported');
    if (letter === 'p' || letter === 'P') {
      take('{');
      return property(`\\${letter}{${until('}')}}`);
    }
    if (letter === 'c') return one(characters[at++]!.codePointAt(0)! % 32);
    if (letter === 'x') return one(hex(2));
    if (letter === 'u') return one(unicode());
    if (/[1-9k]/.test(letter)) throw new UnsupportedPattern('back references are not supported');
    return one(letter.codePointAt(0)!);
  }

  function unicode(): number {
    if (take('{')) return Number.parseInt(until('}'), 16);
    const first = hex(4);
    if (first < 0xd800 || first > 0xdbff || !peek('\\u')) return first;
    const back = at;
    take('\\u');
    const second = peek('{') ? 0 : hex(4);
    if (second >= 0xdc00 && second <= 0xdfff) return 0x10000 + (first - 0xd800) * 0x400 + second - 0xdc00;
    at = back;
    return first;
  }

  function hex(digits: number): number {
    at += digits;
    return Number.parseInt(characters.slice(at - digits, at).join(''), 16);
  }

  function until(end: string): string {
    const close = characters.indexOf(end, at);
    const text = characters.slice(at, close).join('');
    at = close + 1;
    return text;
  }

  return choice();
}

function one(code: number): CodePoints {
  return [code, code];
}

/** `\p{...}` by asking the RegExp of this process about every code point: a table of them would be of another Unicode version. */
function property(source: string): CodePoints {
  const tester = new RegExp(source, 'u');
  const found: [number, number][] = [];
  for (let index = 0; index < EVERY_CODE_POINT.length; index += 2) {
    let start = -1;
    const last = EVERY_CODE_POINT[index + 1]!;
    for (let code = EVERY_CODE_POINT[index]!; code <= last + 1; code += 1) {
      const matches = code <= last && tester.test(String.fromCodePoint(code));
      if (matches && start < 0) start = code;
      if (!matches && start >= 0) {
        found.push([start, code - 1]);
        start = -1;
      }
    }
  }
  return codePoints(found);
}
