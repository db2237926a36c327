/** Alternatives that begin with literals, parted at the first character that differs. */
import { type Alternative, type Rules, refer, text } from './rules.ts';

export interface Literal {
  readonly text: string;
  readonly onward: Alternative;
}

export function factored(literals: readonly Literal[], rules: Rules): Alternative[] {
  const byFirst = new Map<string, { characters: string[]; onward: Alternative }[]>();
  for (const literal of literals) {
    const characters = [...literal.text];
    const first = characters[0] ?? '';
    byFirst.set(first, [...(byFirst.get(first) ?? []), { characters, onward: literal.onward }]);
  }
  return [...byFirst.values()].flatMap((group): Alternative[] => {
    const [only, ...others] = group;
    if (only!.characters.length === 0) return group.map(({ onward }) => onward);
    if (others.length === 0) return [[text(only!.characters.join('')), ...only!.onward]];
    const common = commonStart(group.map(({ characters }) => characters));
    const rest = group.map(({ characters, onward }) => ({ text: characters.slice(common).join(''), onward }));
    const start = text(only!.characters.slice(0, common).join(''));
    return [[start, refer(rules.add('part', factored(rest, rules)))]];
  });
}

function commonStart(texts: readonly (readonly string[])[]): number {
  const [first, ...others] = texts;
  const differs = first!.findIndex((character, index) => others.some((other) => other[index] !== character));
  return differs < 0 ? first!.length : differs;
}
