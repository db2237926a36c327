/**
 * How far two texts are apart, exactly and in linear memory, by bit vectors of 32 rows: G. Myers, "A fast bit-vector algorithm for
 * approximate string matching based on dynamic programming", J. ACM 46 (1999), in the form of H. Hyyrö, "A bit-vector algorithm for
 * computing Levenshtein and Damerau edit distances", Nordic Journal of Computing 10 (2003).
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { throwIfAborted } from '../base/abort.ts';

const ROWS = 32;
/** Others of this process get their turn so often, in milliseconds: two transcripts of four hours take seconds. */
const TURN_MS = 10;

/** Distance over the length of the longer text, 0 for equal texts to 1. */
export async function editRate(before: string, after: string, signal: AbortSignal): Promise<number> {
  if (before === after) return 0;
  const [a, b] = [symbolsOf(before), symbolsOf(after)];
  return (await editDistance(a, b, signal)) / Math.max(a.length, b.length);
}

/** Insertions, deletions and substitutions of single symbols that turn `a` into `b`: Levenshtein's distance. */
export async function editDistance(
  a: readonly number[],
  b: readonly number[],
  signal: AbortSignal,
): Promise<number> {
  const [rows, columns] = a.length < b.length ? [a, b] : [b, a];
  if (rows.length === 0) return columns.length;
  const { ids, count } = numbered([rows, columns]);
  const [pattern, text] = [ids[0]!, ids[1]!];
  /** For each column, by how much the row above the block grows from the column before: -1, 0 or 1. Above the first, every column adds one. */
  const steps = new Int8Array(text.length).fill(1);
  /** For each symbol, the rows of the block where it stands. */
  const places = new Int32Array(count);
  let turnBegan = performance.now();
  for (let start = 0; start < pattern.length; start += ROWS) {
    const block = pattern.subarray(start, start + ROWS);
    block.forEach((symbol, row) => {
      places[symbol]! |= 1 << row;
    });
    passBlock(text, { steps, places, lastRow: block.length - 1 });
    for (const symbol of block) places[symbol] = 0;
    if (performance.now() - turnBegan < TURN_MS) continue;
    await nextTurn();
    throwIfAborted(signal);
    turnBegan = performance.now();
  }
  return steps.reduce((distance, step) => distance + step, pattern.length);
}

export function symbolsOf(text: string): number[] {
  return Array.from(text, (character) => character.codePointAt(0)!);
}

interface Block {
  /** Of the row above; becomes that of the last row. */
  readonly steps: Int8Array;
  readonly places: Int32Array;
  /** Of the block, 0 to 31. */
  readonly lastRow: number;
}

/** Names as in the papers: `up` and `down` are the vertical differences of +1 and -1, `right` and `left` the horizontal ones. */
function passBlock(text: Int32Array, { steps, places, lastRow }: Block): void {
  let up = -1;
  let down = 0;
  for (let column = 0; column < text.length; column += 1) {
    const step = steps[column]!;
    const above = step < 0 ? 1 : 0;
    const found = places[text[column]!]!;
    const vertical = found | down;
    const equal = found | above;
    const diagonal = (((equal & up) + up) ^ up) | equal;
    const right = down | ~(diagonal | up);
    const left = up & diagonal;
    steps[column] = ((right >>> lastRow) & 1) - ((left >>> lastRow) & 1);
    const rightBelow = (right << 1) | (step > 0 ? 1 : 0);
    const leftBelow = (left << 1) | above;
    up = leftBelow | ~(vertical | rightBelow);
    down = rightBelow & vertical;
  }
}

/** Symbols by numbers without gaps, the same in all texts. */
function numbered(texts: readonly (readonly number[])[]): {
  readonly ids: readonly Int32Array[];
  readonly count: number;
} {
  const known = new Map<number, number>();
  const idOf = (symbol: number) => {
    const id = known.get(symbol) ?? known.size;
    known.set(symbol, id);
    return id;
  };
  const ids = texts.map((text) => Int32Array.from(text, idOf));
  return { ids, count: known.size };
}
