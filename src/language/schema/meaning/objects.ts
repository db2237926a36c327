/** What the keywords for objects ask. */
import { unsupported } from '../refusal.ts';
import { ANY_STRING, accepts, complement, isEmpty, NO_STRING, unite } from '../text/automaton.ts';
import { words } from '../text/words.ts';
import type { Formula } from '../values/formula.ts';
import {
  anyObject,
  intersectObjects,
  type NamedBy,
  type ObjectShape,
  restOf,
} from '../values/object-shape.ts';
import { anyValue, intersectValues, uniteValues, type ValueSet } from '../values/value-set.ts';
import { type Place, requireCount } from './context.ts';
import { patternAt } from './scalars.ts';

/** `properties`, `patternProperties` and `additionalProperties`, which know of one another. */
export function memberObjects(place: Place): ValueSet | undefined {
  const { schema, node, tracks, context } = place;
  const { properties, patternProperties, additionalProperties } = schema;
  if ((properties ?? patternProperties ?? additionalProperties) === undefined) return undefined;
  const { formulas } = context.algebra;
  const { child } = context.document;
  const patterns = Object.keys(patternProperties ?? {}).map((pattern): NamedBy => {
    const value = formulas.schema(child(node, 'patternProperties', pattern));
    return { names: patternAt(pattern, `${node.pointer}/patternProperties`), value };
  });
  const matched = patterns.reduce((all, { names }) => unite(all, names), NO_STRING);
  const others: NamedBy[] =
    additionalProperties === undefined
      ? []
      : [{ names: complement(matched), value: formulas.schema(child(node, 'additionalProperties')) }];
  const rest = restOf([...patterns, ...others], formulas);
  const names = Object.keys(properties ?? {});
  for (const name of names) requireShortName(name, place);
  const fields = new Map<string, Formula>();
  for (const name of names) {
    const matching = patterns.filter((pattern) => accepts(pattern.names, name)).map(({ value }) => value);
    fields.set(name, formulas.and(formulas.schema(child(node, 'properties', name)), ...matching));
  }
  const isAll = additionalProperties !== undefined;
  const shape: ObjectShape = {
    ...anyObject(formulas),
    fields,
    rest,
    evaluated: !tracks ? NO_STRING : isAll ? ANY_STRING : unite(words(names), matched),
    closable: names.length > 0,
    said: isAll || patterns.length > 0,
  };
  return onlyObjects(place, [shape]);
}

export function countedObjects(place: Place): ValueSet | undefined {
  const { schema, context } = place;
  const required = schema['required'] as readonly string[] | undefined;
  const least = schema['minProperties'] as number | undefined;
  const most = schema['maxProperties'] as number | undefined;
  if ((required ?? least ?? most) === undefined) return undefined;
  requireCount('minProperties', place);
  for (const name of required ?? []) requireShortName(name, place);
  const any = anyObject(context.algebra.formulas);
  const shape = { ...any, required: new Set(required), least: least ?? 0, most: most ?? Infinity };
  return onlyObjects(place, [shape]);
}

export function namedObjects(place: Place): ValueSet | undefined {
  const { schema, node, context } = place;
  if (schema['propertyNames'] === undefined) return undefined;
  const { formulas } = context.algebra;
  const { string } = context.evaluate(context.document.child(node, 'propertyNames'), false);
  if (string.sure !== string.maybe) {
    throw unsupported(`${node.pointer}/propertyNames`, 'a format or a length of names beyond the limit');
  }
  const rest = restOf([{ names: complement(string.sure), value: formulas.none }], formulas);
  return onlyObjects(place, [{ ...anyObject(formulas), rest }]);
}

export function dependentObjects(place: Place): ValueSet | undefined {
  const { schema, node, tracks, context } = place;
  const { algebra, document } = context;
  const needed = Object.entries((schema['dependentRequired'] ?? {}) as Record<string, readonly string[]>);
  const asked = Object.keys((schema['dependentSchemas'] ?? {}) as object);
  if (needed.length + asked.length === 0) return undefined;
  const any = anyObject(algebra.formulas);
  const without = (name: string): ObjectShape => ({
    ...any,
    fields: new Map([[name, algebra.formulas.none]]),
  });
  const having = (...names: readonly string[]): ObjectShape => ({ ...any, required: new Set(names) });
  let set = anyValue(algebra.formulas);
  for (const [name, names] of needed) {
    for (const each of [name, ...names]) requireShortName(each, place);
    const shapes = [without(name), having(name, ...names)];
    set = intersectValues(set, onlyObjects(place, shapes), algebra);
  }
  for (const name of asked) {
    requireShortName(name, place);
    const then = context.evaluate(document.child(node, 'dependentSchemas', name), tracks);
    const objects = then.objects.map((shape) => intersectObjects(shape, having(name), algebra.formulas));
    const both = uniteValues(onlyObjects(place, [without(name)]), onlyObjects(place, objects), algebra);
    set = intersectValues(set, both, algebra);
  }
  return set;
}

/** `set` is what the rest of the schema asks, with what that has evaluated. */
export function withUnevaluatedProperties(set: ValueSet, { schema, node, context }: Place): ValueSet {
  if (schema['unevaluatedProperties'] === undefined) return set;
  const { formulas } = context.algebra;
  const value = formulas.schema(context.document.child(node, 'unevaluatedProperties'));
  const objects = set.objects.map((shape): ObjectShape => {
    const names = complement(shape.evaluated);
    const asked: ObjectShape = {
      ...anyObject(formulas),
      rest: isEmpty(names) ? anyObject(formulas).rest : restOf([{ names, value }], formulas),
    };
    return { ...intersectObjects(shape, asked, formulas), evaluated: ANY_STRING, said: true };
  });
  return { ...set, objects };
}

function onlyObjects({ context }: Place, objects: readonly ObjectShape[]): ValueSet {
  return { ...anyValue(context.algebra.formulas), objects };
}

/** A name is a string literal of the grammar, and one state for each character where other names are allowed beside it. */
function requireShortName(name: string, { node, context }: Place): void {
  const most = context.limits.nameCharacters;
  if (name.length > most)
    throw unsupported(node.pointer, `a property's name has more than ${most} characters`);
}
