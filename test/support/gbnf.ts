/**
 * Reads GBNF and recognises whole texts by it, as llama.cpp's `llama-grammar.cpp` does: a set of stacks of places in rules, advanced
 * character by character. Knows what our compiler writes: literals, classes, names, alternatives.
 */
export interface Recogniser {
  readonly rules: number;
  accepts(text: string): boolean;
  /** Whether any order of the members of its objects, else as JSON.stringify writes it, is accepted. */
  acceptsValue(value: unknown): boolean;
  /** A text of the grammar, each step by `roll` (a whole number below its argument); undefined for one that grows beyond `most`. */
  derive(roll: (sides: number) => number, most: number): string | undefined;
  /** The most ways that one character could be read, of all texts so far: one where the grammar is deterministic. */
  mostWays(): number;
}

type Element =
  | { readonly kind: 'set'; readonly ranges: readonly (readonly [number, number])[] }
  | { readonly kind: 'rule'; readonly name: string }
  | { readonly kind: 'end' };

/** A place in a rule, and the place to go on at when the rule ends. */
interface Stack {
  readonly at: number;
  readonly under: Stack | undefined;
  readonly id: number;
}

type Stacks = ReadonlySet<Stack>;

const ACCEPT = -1;

export function readGbnf(gbnf: string): Recogniser {
  const { elements, starts } = parse(gbnf);
  const interned = new Map<string, Stack>();
  let most = 0;

  function stack(at: number, under: Stack | undefined): Stack {
    const key = `${at} ${under?.id ?? ''}`;
    const found = interned.get(key) ?? { at, under, id: interned.size };
    interned.set(key, found);
    return found;
  }

  /** Every stack that begins with a character, from one that begins with anything. */
  function settle(from: readonly Stack[]): Stacks {
    const settled = new Set<Stack>();
    const seen = new Set(from);
    for (const top of seen) {
      const element = top.at === ACCEPT ? undefined : elements[top.at]!;
      if (element === undefined || element.kind === 'set') settled.add(top);
      else if (element.kind === 'end') seen.add(top.under ?? stack(ACCEPT, undefined));
      else {
        const isLast = elements[top.at + 1]!.kind === 'end';
        const under = isLast ? top.under : stack(top.at + 1, top.under);
        for (const start of starts.get(element.name)!) seen.add(stack(start, under));
      }
    }
    return settled;
  }

  function step(stacks: Stacks, code: number): Stacks {
    const next: Stack[] = [];
    for (const { at, under } of stacks) {
      const element = elements[at];
      if (element?.kind !== 'set') continue;
      if (element.ranges.some(([first, last]) => first <= code && code <= last))
        next.push(stack(at + 1, under));
    }
    most = Math.max(most, next.length);
    return settle(next);
  }

  function write(text: string, stacks: Stacks): Stacks {
    let found = stacks;
    for (const character of text) {
      if (found.size === 0) break;
      found = step(found, character.codePointAt(0)!);
    }
    return found;
  }

  const isAccepted = (stacks: Stacks) => [...stacks].some(({ at }) => at === ACCEPT);
  const begin = () => settle(starts.get('root')!.map((start) => stack(start, undefined)));

  type Then = (stacks: Stacks) => boolean;

  function anyOrder(value: unknown, stacks: Stacks, then: Then): boolean {
    if (stacks.size === 0) return false;
    if (Array.isArray(value)) return items(value, '[', stacks, then);
    if (typeof value === 'object' && value !== null) return members(Object.entries(value), '{', stacks, then);
    return then(write(JSON.stringify(value), stacks));
  }

  function items(left: readonly unknown[], before: string, stacks: Stacks, then: Then): boolean {
    const [first, ...rest] = left;
    if (left.length === 0) return then(write(before === '[' ? '[]' : ']', stacks));
    return anyOrder(first, write(before, stacks), (next) => items(rest, ',', next, then));
  }

  function members(left: readonly [string, unknown][], before: string, stacks: Stacks, then: Then): boolean {
    if (stacks.size === 0) return false;
    if (left.length === 0) return then(write(before === '{' ? '{}' : '}', stacks));
    return left.some(([name, value], index) => {
      const label = write(`${before}${JSON.stringify(name)}:`, stacks);
      return anyOrder(value, label, (next) => members(left.toSpliced(index, 1), ',', next, then));
    });
  }

  function derive(roll: (sides: number) => number, most: number): string | undefined {
    let stacks = begin();
    for (let text = ''; text.length <= most; ) {
      const { at } = [...stacks][roll(stacks.size)]!;
      const element = elements[at];
      if (element?.kind !== 'set') return text;
      const [first, last] = element.ranges[roll(element.ranges.length)]!;
      const code = first + roll(Math.min(last - first + 1, 100));
      text += String.fromCodePoint(code);
      stacks = step(stacks, code);
    }
    return undefined;
  }

  return {
    derive,
    rules: starts.size,
    accepts: (text) => isAccepted(write(text, begin())),
    acceptsValue: (value) => anyOrder(value, begin(), isAccepted),
    mostWays: () => most,
  };
}

function parse(gbnf: string): { elements: Element[]; starts: Map<string, number[]> } {
  const elements: Element[] = [];
  const starts = new Map<string, number[]>();
  for (const line of gbnf.split('\n')) {
    if (line === '') continue;
    const [, name, body] = /^([a-z0-9-]+) ::= (.*)$/su.exec(line) ?? [];
    if (name === undefined) throw new Error(`no rule: ${line.slice(0, 100)}`);
    const alternatives = [elements.length];
    for (const token of body!.matchAll(/"(?:[^"\\]|\\.)*"|\[(?:[^\]\\]|\\.)*\]|[a-z0-9-]+|\|/gu)) {
      const [text] = token;
      if (text === '|') alternatives.push(elements.push({ kind: 'end' }));
      else if (text.startsWith('"')) {
        for (const code of codes(text)) elements.push({ kind: 'set', ranges: [[code, code]] });
      } else if (text.startsWith('[')) elements.push({ kind: 'set', ranges: rangesOf(text) });
      else elements.push({ kind: 'rule', name: text });
    }
    elements.push({ kind: 'end' });
    starts.set(name, alternatives);
  }
  for (const element of elements) {
    if (element.kind === 'rule' && !starts.has(element.name)) throw new Error(`no rule ${element.name}`);
  }
  return { elements, starts };
}

const CHARACTER = /\\x([0-9A-F]{2})|\\u([0-9A-F]{4})|\\U([0-9A-F]{8})|\\(.)|(.)/gsu;

/** Without the marks around it. A bare hyphen of a class is -1. */
function codes(text: string): number[] {
  return [...text.slice(1, -1).matchAll(CHARACTER)].map(([, two, four, eight, escaped, bare]) => {
    const hex = two ?? four ?? eight;
    if (hex !== undefined) return Number.parseInt(hex, 16);
    if (escaped === undefined) return bare === '-' && text.startsWith('[') ? -1 : bare!.codePointAt(0)!;
    const control: Record<string, number> = { n: 10, r: 13, t: 9 };
    return control[escaped] ?? escaped.codePointAt(0)!;
  });
}

/** What no range of a class has, which begins with `^`. */
function without(ranges: readonly (readonly [number, number])[]): [number, number][] {
  const rest: [number, number][] = [];
  let next = 0;
  for (const [first, last] of [...ranges].sort((a, b) => a[0] - b[0])) {
    if (next < first) rest.push([next, first - 1]);
    next = Math.max(next, last + 1);
  }
  return [...rest, [next, 0x10ffff]];
}

function rangesOf(text: string): [number, number][] {
  if (text.startsWith('[^')) return without(rangesOf(`[${text.slice(2)}`));
  const members = codes(text);
  const ranges: [number, number][] = [];
  for (let index = 0; index < members.length; index += 1) {
    const first = members[index]!;
    const isRange = members[index + 1] === -1;
    ranges.push([first, isRange ? members[index + 2]! : first]);
    if (isRange) index += 2;
  }
  return ranges;
}
