/** Sets of code points, as flat pairs `[first, last, first, last, ...]`: sorted, disjoint and not adjacent. */
export type CodePoints = readonly number[];

/** What a string can hold. Lone surrogates are left out: they cannot be written as UTF-8, which is what models write. */
export const EVERY_CODE_POINT: CodePoints = [0, 0xd7ff, 0xe000, 0x10ffff];

/** From pairs in any order that may overlap. */
export function codePoints(pairs: Iterable<readonly [number, number]>): CodePoints {
  const sorted = [...pairs].sort((a, b) => a[0] - b[0]);
  const found: number[] = [];
  for (const [first, last] of sorted) {
    const end = found.length - 1;
    if (end > 0 && first <= found[end]! + 1) found[end] = Math.max(found[end]!, last);
    else found.push(first, last);
  }
  return found;
}

export function pairsOf(set: CodePoints): [number, number][] {
  const pairs: [number, number][] = [];
  for (let index = 0; index < set.length; index += 2) pairs.push([set[index]!, set[index + 1]!]);
  return pairs;
}

export function union(...sets: readonly CodePoints[]): CodePoints {
  return codePoints(sets.flatMap(pairsOf));
}

export function intersection(a: CodePoints, b: CodePoints): CodePoints {
  const found: [number, number][] = [];
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    const first = Math.max(a[i]!, b[j]!);
    const last = Math.min(a[i + 1]!, b[j + 1]!);
    if (first <= last) found.push([first, last]);
    if (a[i + 1]! < b[j + 1]!) i += 2;
    else j += 2;
  }
  return codePoints(found);
}

/** Every other code point. */
export function complement(set: CodePoints): CodePoints {
  const gaps: [number, number][] = [];
  let next = 0;
  for (const [first, last] of pairsOf(set)) {
    if (first > next) gaps.push([next, first - 1]);
    next = last + 1;
  }
  if (next <= 0x10ffff) gaps.push([next, 0x10ffff]);
  return intersection(codePoints(gaps), EVERY_CODE_POINT);
}
