/** How far a text is from what was said. */

export interface WordErrors {
  /** Substitutions, deletions and insertions together. */
  readonly errors: number;
  /** Words of the reference. */
  readonly words: number;
}

/** `4.29 % (3/70)`; without a word of reference only the counts. */
export function formatWordErrors({ errors, words }: WordErrors): string {
  const counts = `(${errors}/${words})`;
  return words === 0 ? counts : `${((100 * errors) / words).toFixed(2)} % ${counts}`;
}

/**
 * Fewest word edits from `reference` to `text`, after both are lower-cased, stripped of punctuation, split at hyphens and freed of
 * the abbreviations that speakers spell out. A simple relative of Whisper's own normaliser.
 */
export function wordErrors(reference: string, text: string): WordErrors {
  const wanted = normalise(reference);
  const got = normalise(text);
  let row = Array.from({ length: got.length + 1 }, (_, column) => column);
  for (const [index, word] of wanted.entries()) {
    const next = [index + 1];
    for (const [column, other] of got.entries()) {
      next.push(Math.min(row[column]! + (word === other ? 0 : 1), row[column + 1]! + 1, next[column]! + 1));
    }
    row = next;
  }
  return { errors: row[got.length]!, words: wanted.length };
}

/** Of several texts together, so that a long one counts for more. */
export function totalWordErrors(all: readonly WordErrors[]): WordErrors {
  return {
    errors: all.reduce((sum, { errors }) => sum + errors, 0),
    words: all.reduce((sum, { words }) => sum + words, 0),
  };
}

const SPELLED_OUT: Readonly<Record<string, string>> = {
  mr: 'mister',
  mrs: 'missus',
  dr: 'doctor',
  st: 'saint',
};

function normalise(text: string): string[] {
  const words = text
    .toLowerCase()
    .normalize('NFKC')
    .replaceAll(/[’']/g, "'")
    .replaceAll(/[^\p{L}\p{N}']+/gu, ' ')
    .split(' ');
  return words.filter((word) => word !== '').map((word) => SPELLED_OUT[word] ?? word);
}
