/**
 * Sets of JSON values, worked out one level deep: the seven kinds of values are disjoint, so that intersection and difference go kind
 * by kind. What is inside arrays and objects stays a formula.
 */
import { LimitReached } from '../refusal.ts';
import { ANY_STRING, intersect, NO_STRING, subtract, unite } from '../text/automaton.ts';
import { ANY_NUMBER } from '../text/number-texts.ts';
import { numbersEqualTo } from '../text/numbers.ts';
import type { Automaton } from '../text/states.ts';
import { words } from '../text/words.ts';
import { type ArrayShape, anyArray, intersectArrays, otherArrays } from './array-shape.ts';
import type { Formulas } from './formula.ts';
import { canonicalText, isObject } from './json.ts';
import { anyObject, intersectObjects, type ObjectShape, otherObjects } from './object-shape.ts';

/** Texts that are in the set for certain, and those that may be: the same but where a keyword is enforced more strictly than it asks. */
export interface Texts {
  readonly sure: Automaton;
  readonly maybe: Automaton;
}

/** Arrays and objects are unions of their shapes. */
export interface ValueSet {
  readonly null: boolean;
  readonly true: boolean;
  readonly false: boolean;
  readonly number: Texts;
  readonly string: Texts;
  readonly arrays: readonly ArrayShape[];
  readonly objects: readonly ObjectShape[];
}

export const exactly = (set: Automaton): Texts => ({ sure: set, maybe: set });

export function anyValue(formulas: Formulas): ValueSet {
  return {
    null: true,
    true: true,
    false: true,
    number: exactly(ANY_NUMBER),
    string: exactly(ANY_STRING),
    arrays: [anyArray(formulas)],
    objects: [anyObject(formulas)],
  };
}

export const NO_VALUE: ValueSet = {
  null: false,
  true: false,
  false: false,
  number: exactly(NO_STRING),
  string: exactly(NO_STRING),
  arrays: [],
  objects: [],
};

/** Exactly these JSON values. */
export function valuesOf(values: readonly unknown[], formulas: Formulas): ValueSet {
  const distinct = [...new Map(values.map((value) => [canonicalText(value), value])).values()];
  const numbers = distinct.filter((value) => typeof value === 'number');
  return {
    null: distinct.includes(null),
    true: distinct.includes(true),
    false: distinct.includes(false),
    number: exactly(numbers.length === 0 ? NO_STRING : numbersEqualTo(numbers)),
    string: exactly(words(distinct.filter((value) => typeof value === 'string'))),
    arrays: distinct.filter(Array.isArray).map((items) => arrayOf(items, formulas)),
    objects: distinct.filter(isObject).map((object) => objectOf(object, formulas)),
  };
}

function arrayOf(items: readonly unknown[], formulas: Formulas): ArrayShape {
  const prefix = items.map((item) => formulas.value(item));
  return { ...anyArray(formulas), prefix, rest: formulas.none, least: items.length, most: items.length };
}

function objectOf(object: Readonly<Record<string, unknown>>, formulas: Formulas): ObjectShape {
  const fields = new Map(Object.entries(object).map(([name, value]) => [name, formulas.value(value)]));
  const rest = [{ names: ANY_STRING, value: formulas.none }];
  return { ...anyObject(formulas), fields, rest, required: new Set(fields.keys()), said: true };
}

/** What the operations need to know: the formulas, how to see that a shape is empty, and how many shapes there may be. */
export interface Algebra {
  readonly formulas: Formulas;
  readonly alternatives: number;
  isEmptyArray(shape: ArrayShape): boolean;
  isEmptyObject(shape: ObjectShape): boolean;
}

export function intersectValues(a: ValueSet, b: ValueSet, algebra: Algebra): ValueSet {
  return {
    null: a.null && b.null,
    true: a.true && b.true,
    false: a.false && b.false,
    number: intersectTexts(a.number, b.number),
    string: intersectTexts(a.string, b.string),
    arrays: products(a.arrays, b.arrays, algebra, intersectArrays, algebra.isEmptyArray),
    objects: products(a.objects, b.objects, algebra, intersectObjects, algebra.isEmptyObject),
  };
}

export function uniteValues(a: ValueSet, b: ValueSet, algebra: Algebra): ValueSet {
  return {
    null: a.null || b.null,
    true: a.true || b.true,
    false: a.false || b.false,
    number: uniteTexts(a.number, b.number),
    string: uniteTexts(a.string, b.string),
    arrays: limited([...a.arrays, ...b.arrays], algebra),
    objects: limited([...a.objects, ...b.objects], algebra),
  };
}

/** Every other value. */
export function otherValues(set: ValueSet, algebra: Algebra): ValueSet {
  const { formulas } = algebra;
  const everything = anyValue(formulas);
  const without = ({ sure, maybe }: Texts, every: Automaton): Texts => {
    const others = subtract(every, maybe);
    return sure === maybe ? exactly(others) : { sure: others, maybe: subtract(every, sure) };
  };
  return {
    null: !set.null,
    true: !set.true,
    false: !set.false,
    number: without(set.number, ANY_NUMBER),
    string: without(set.string, ANY_STRING),
    arrays: set.arrays
      .map((shape) => otherArrays(shape, formulas))
      .reduce(
        (all, others) => products(all, others, algebra, intersectArrays, algebra.isEmptyArray),
        [...everything.arrays],
      ),
    objects: set.objects
      .map((shape) => otherObjects(shape, formulas))
      .reduce(
        (all, others) => products(all, others, algebra, intersectObjects, algebra.isEmptyObject),
        [...everything.objects],
      ),
  };
}

function intersectTexts(a: Texts, b: Texts): Texts {
  const sure = intersect(a.sure, b.sure);
  if (a.sure === a.maybe && b.sure === b.maybe) return exactly(sure);
  return { sure, maybe: intersect(a.maybe, b.maybe) };
}

function uniteTexts(a: Texts, b: Texts): Texts {
  const sure = unite(a.sure, b.sure);
  if (a.sure === a.maybe && b.sure === b.maybe) return exactly(sure);
  return { sure, maybe: unite(a.maybe, b.maybe) };
}

function products<Shape>(
  a: readonly Shape[],
  b: readonly Shape[],
  algebra: Algebra,
  both: (a: Shape, b: Shape, formulas: Formulas) => Shape,
  isEmpty: (shape: Shape) => boolean,
): Shape[] {
  const found: Shape[] = [];
  for (const ofA of a) {
    for (const ofB of b) {
      const shape = both(ofA, ofB, algebra.formulas);
      if (!isEmpty(shape)) found.push(shape);
      limited(found, algebra);
    }
  }
  return found;
}

function limited<Shape>(shapes: Shape[], { alternatives }: Algebra): Shape[] {
  if (shapes.length <= alternatives) return shapes;
  throw new LimitReached(`it has more than ${alternatives} alternatives when worked out`);
}
