/** Tokens to text as they come: a character whose bytes lie in several tokens is held back until it is whole. */

export interface Pieces {
  /** The text that this token completes; may be empty. */
  push(token: number): string;
  /** What is left. */
  end(): string;
}

/** Longest character in UTF-8, each byte a token of its own, and as much again for what joins characters. */
const MOST_HELD = 8;
/** What detokenisers look at to know whether a space belongs between. */
const BEFORE = 4;

/** `textOf` gives the text of some tokens that follow others; U+FFFD stands for bytes that are no character. */
export function createPieces(
  textOf: (tokens: readonly number[], before: readonly number[]) => string,
): Pieces {
  let held: number[] = [];
  let before: number[] = [];
  const flush = (): string => {
    const text = textOf(held, before);
    before = [...before, ...held].slice(-BEFORE);
    held = [];
    return text;
  };
  return {
    push(token) {
      held.push(token);
      const isWhole = !textOf(held, before).endsWith('\ufffd');
      return isWhole || held.length >= MOST_HELD ? flush() : '';
    },
    end: () => (held.length === 0 ? '' : flush()),
  };
}
