/** What the keywords for arrays ask. */
import { type ArrayShape, anyArray, itemAt } from '../values/array-shape.ts';
import { anyValue, type ValueSet } from '../values/value-set.ts';
import { type Place, requireCount } from './context.ts';

export function listedArrays(place: Place): ValueSet | undefined {
  const { schema, node, tracks, context } = place;
  const { prefixItems, items } = schema as { prefixItems?: readonly unknown[]; items?: unknown };
  const least = schema['minItems'] as number | undefined;
  const most = schema['maxItems'] as number | undefined;
  const unique = schema['uniqueItems'] === true ? `${node.pointer}/uniqueItems` : undefined;
  if ((prefixItems ?? items ?? least ?? most ?? unique) === undefined) return undefined;
  requireCount('minItems', place);
  const { formulas } = context.algebra;
  const { child } = context.document;
  const prefix = (prefixItems ?? []).map((_, index) => formulas.schema(child(node, 'prefixItems', index)));
  const shape: ArrayShape = {
    ...anyArray(formulas),
    prefix,
    rest: items === undefined ? formulas.any : formulas.schema(child(node, 'items')),
    least: least ?? 0,
    most: most ?? Infinity,
    unique,
    evaluated: { first: !tracks ? 0 : items === undefined ? prefix.length : Infinity, also: [] },
  };
  return { ...anyValue(formulas), arrays: [shape] };
}

/** `minContains` and `maxContains` say nothing without `contains`. */
export function containingArrays(place: Place): ValueSet | undefined {
  const { schema, node, tracks, context } = place;
  if (schema['contains'] === undefined) return undefined;
  requireCount('minContains', place);
  const { formulas } = context.algebra;
  const value = formulas.schema(context.document.child(node, 'contains'));
  const least = (schema['minContains'] as number | undefined) ?? 1;
  const most = (schema['maxContains'] as number | undefined) ?? Infinity;
  const isCounted = least > 0 || most < Infinity;
  const shape: ArrayShape = {
    ...anyArray(formulas),
    counted: isCounted ? [{ from: 0, value, least, most }] : [],
    evaluated: { first: 0, also: tracks ? [value] : [] },
  };
  return { ...anyValue(formulas), arrays: [shape] };
}

/** `set` is what the rest of the schema asks, with what that has evaluated. */
export function withUnevaluatedItems(set: ValueSet, { schema, node, context }: Place): ValueSet {
  if (schema['unevaluatedItems'] === undefined) return set;
  const { formulas } = context.algebra;
  const asked = formulas.schema(context.document.child(node, 'unevaluatedItems'));
  const arrays = set.arrays.map((shape): ArrayShape => {
    const { first, also } = shape.evaluated;
    const evaluated = { first: Infinity, also: [] };
    if (first === Infinity) return shape;
    const allowed = formulas.or(asked, ...also);
    const length = Math.max(shape.prefix.length, first);
    const prefix = Array.from({ length }, (_, index) => {
      const item = itemAt(shape, index);
      return index < first ? item : formulas.and(item, allowed);
    });
    return { ...shape, prefix, rest: formulas.and(shape.rest, allowed), evaluated };
  });
  return { ...set, arrays };
}
