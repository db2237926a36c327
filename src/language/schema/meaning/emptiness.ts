/** Which sets have no value for certain. What is not seen within a few levels counts as possible. */
import { isEmpty } from '../text/automaton.ts';
import type { ArrayShape } from '../values/array-shape.ts';
import type { Formula } from '../values/formula.ts';
import { memberOf, type ObjectShape } from '../values/object-shape.ts';
import type { ValueSet } from '../values/value-set.ts';

/** Levels of arrays and objects: a tag within a member tells variants apart at the second. */
export const LOOK_LEVELS = 2;

export interface Emptiness {
  set(set: ValueSet, levels: number): boolean;
  array(shape: ArrayShape, levels: number): boolean;
  object(shape: ObjectShape, levels: number): boolean;
}

/** `expand` gives undefined for a formula that is being worked out. */
export function createEmptiness(expand: (formula: Formula) => ValueSet | undefined): Emptiness {
  function hasNone(formula: Formula, levels: number): boolean {
    if (formula.kind === 'none') return true;
    if (formula.kind === 'any' || formula.kind === 'value' || levels === 0) return false;
    const found = expand(formula);
    return found !== undefined && set(found, levels - 1);
  }

  function set(values: ValueSet, levels: number): boolean {
    if (values.null || values.true || values.false) return false;
    if (!isEmpty(values.number.maybe) || !isEmpty(values.string.maybe)) return false;
    return (
      values.arrays.every((shape) => array(shape, levels)) &&
      values.objects.every((shape) => object(shape, levels))
    );
  }

  function array(shape: ArrayShape, levels: number): boolean {
    const { prefix, rest, least, most, counted } = shape;
    if (least > most) return true;
    if (prefix.slice(0, least).some((item) => hasNone(item, levels))) return true;
    if (least > prefix.length && hasNone(rest, levels)) return true;
    return counted.some(
      (part) =>
        part.least > Math.min(part.most, most - part.from) ||
        (part.least > 0 && hasNone(part.value, levels)) ||
        (part.least > 0 && part.from >= prefix.length && hasNone(rest, levels)) ||
        (part.value.kind === 'any' && least - part.from > part.most),
    );
  }

  function object(shape: ObjectShape, levels: number): boolean {
    const { fields, rest, required, least, most, some } = shape;
    if (least > most || required.size > most) return true;
    for (const name of required) if (hasNone(memberOf(shape, name), levels)) return true;
    const isClosed = rest.every(({ value }) => value.kind === 'none');
    const possible = [...fields.values()].filter(({ kind }) => kind !== 'none').length;
    if (isClosed && possible < least) return true;
    return some.some(({ names, value }) => hasNone(value, levels) || isEmpty(names));
  }

  return { set, array, object };
}
