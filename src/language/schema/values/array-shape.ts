/** Sets of arrays. */
import { unsupported } from '../refusal.ts';
import type { Formula, Formulas } from './formula.ts';

/** At least `least` and at most `most` items, of those from `from` on, are in `value`. */
export interface Counted {
  readonly from: number;
  readonly value: Formula;
  readonly least: number;
  readonly most: number;
}

/** All of these hold of an array in the set. */
export interface ArrayShape {
  /** The sets of the first items, and of all later ones. */
  readonly prefix: readonly Formula[];
  readonly rest: Formula;
  readonly least: number;
  readonly most: number;
  readonly counted: readonly Counted[];
  /** The place of the `uniqueItems` that asks that no two items are equal. */
  readonly unique: string | undefined;
  /** What `unevaluatedItems` passes over: the first items, and those in any of these sets. Kept only where that keyword looks. */
  readonly evaluated: { readonly first: number; readonly also: readonly Formula[] };
}

export function anyArray({ any }: Formulas): ArrayShape {
  return {
    prefix: [],
    rest: any,
    least: 0,
    most: Infinity,
    counted: [],
    unique: undefined,
    evaluated: { first: 0, also: [] },
  };
}

export function itemAt(shape: ArrayShape, index: number): Formula {
  return shape.prefix[index] ?? shape.rest;
}

export function intersectArrays(a: ArrayShape, b: ArrayShape, formulas: Formulas): ArrayShape {
  const length = Math.max(a.prefix.length, b.prefix.length);
  const prefix = Array.from({ length }, (_, index) => formulas.and(itemAt(a, index), itemAt(b, index)));
  return {
    prefix,
    rest: formulas.and(a.rest, b.rest),
    least: Math.max(a.least, b.least),
    most: Math.min(a.most, b.most),
    counted: [...a.counted, ...b.counted],
    unique: a.unique ?? b.unique,
    evaluated: {
      first: Math.max(a.evaluated.first, b.evaluated.first),
      also: [...new Set([...a.evaluated.also, ...b.evaluated.also])],
    },
  };
}

/** The arrays that `shape` leaves out, as a union: one alternative for each thing that it asks. */
export function otherArrays(shape: ArrayShape, formulas: Formulas): ArrayShape[] {
  const any = anyArray(formulas);
  if (shape.unique !== undefined) throw unsupported(shape.unique, 'that items are equal cannot be enforced');
  const found: ArrayShape[] = [];
  const breaking = (part: Partial<ArrayShape>) => found.push({ ...any, ...part });
  if (shape.least > 0) breaking({ most: shape.least - 1 });
  if (shape.most < Infinity) breaking({ least: shape.most + 1 });
  for (const [index, value] of shape.prefix.entries()) {
    if (value === formulas.any) continue;
    const before = shape.prefix.slice(0, index).map(() => formulas.any);
    breaking({ least: index + 1, prefix: [...before, formulas.not(value)] });
  }
  if (shape.rest !== formulas.any) {
    const value = formulas.not(shape.rest);
    breaking({ counted: [{ from: shape.prefix.length, value, least: 1, most: Infinity }] });
  }
  for (const { from, value, least, most } of shape.counted) {
    if (least > 0) breaking({ counted: [{ from, value, least: 0, most: least - 1 }] });
    if (most < Infinity) breaking({ counted: [{ from, value, least: most + 1, most: Infinity }] });
  }
  return found;
}
