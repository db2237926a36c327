/**
 * Text that goes on freely until a tag is in it, as GBNF: what may stand before a tool call. Knuth, Morris and Pratt's automaton of the tag,
 * each state a rule that says what may come next.
 */

/** Rules whose first, `name`, derives every text without `tag`, and every such text followed by the tag and then `behind`. */
export function untilTag(
  tag: string,
  { name, behind }: { readonly name: string; readonly behind: string },
): string {
  const characters = [...tag];
  const stateName = (state: number) => (state === 0 ? name : `${name}-${state}`);
  return characters
    .map((_, state) => {
      const nexts = new Map<string, number>();
      for (const character of new Set(characters)) {
        const next = nextState(characters, state, character);
        if (next > 0) nexts.set(character, next);
      }
      const branches = [...nexts].map(([character, next]) => {
        const isWhole = next === characters.length;
        return `${literal(character)} ${isWhole ? behind : stateName(next)}`;
      });
      const others = `[^${[...nexts.keys()].map(inSet).join('')}] ${name}`;
      return `${stateName(state)} ::= "" | ${[...branches, others].join(' | ')}\n`;
    })
    .join('');
}

/** A text as a GBNF literal. */
export function literal(text: string): string {
  const escaped = text.replace(/[\\"]/g, '\\$&').replaceAll('\n', '\\n').replaceAll('\r', '\\r');
  return `"${escaped}"`;
}

/** How much of the tag is there when `character` follows the first `state` characters of it. */
function nextState(tag: readonly string[], state: number, character: string): number {
  const seen = [...tag.slice(0, state), character];
  for (let length = Math.min(seen.length, tag.length); length > 0; length -= 1) {
    const end = seen.slice(seen.length - length);
    if (end.every((one, place) => one === tag[place])) return length;
  }
  return 0;
}

function inSet(character: string): string {
  return /[\\\]^-]/.test(character) ? `\\x${character.charCodeAt(0).toString(16).toUpperCase()}` : character;
}
