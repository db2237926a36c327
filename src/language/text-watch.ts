/** Text that comes in pieces, watched for strings that end it. */

export interface TextWatch {
  /** What may be passed on: nothing that could be the beginning of a watched string. */
  push(piece: string): string;
  /** What was held back, when nothing more comes. */
  end(): string;
  /** The string that has come; what it stood before is never passed on, and nothing more is. */
  readonly found: string | undefined;
}

/** `strings` are not empty. */
export function watchFor(strings: readonly string[]): TextWatch {
  let held = '';
  let found: string | undefined;
  return {
    get found() {
      return found;
    },
    push(piece) {
      if (found !== undefined) return '';
      held += piece;
      const first = strings
        .map((string) => ({ string, at: held.indexOf(string) }))
        .filter(({ at }) => at >= 0)
        .sort((a, b) => a.at - b.at)[0];
      if (first !== undefined) {
        found = first.string;
        const text = held.slice(0, first.at);
        held = '';
        return text;
      }
      const kept = Math.max(0, ...strings.map((string) => overlap(held, string)));
      const text = held.slice(0, held.length - kept);
      held = held.slice(held.length - kept);
      return text;
    },
    end() {
      const text = held;
      held = '';
      return text;
    },
  };
}

/** How many characters at the end of `text` begin `string`. */
function overlap(text: string, string: string): number {
  for (let length = Math.min(text.length, string.length - 1); length > 0; length -= 1)
    if (text.endsWith(string.slice(0, length))) return length;
  return 0;
}
