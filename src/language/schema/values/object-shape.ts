/** Sets of objects. */

import { LimitReached } from '../refusal.ts';
import { ANY_STRING, accepts, intersect, isEmpty, NO_STRING, subtract, unite } from '../text/automaton.ts';
import type { Automaton } from '../text/states.ts';
import { words } from '../text/words.ts';
import type { Formula, Formulas } from './formula.ts';

/** What members with these names must be. */
export interface NamedBy {
  readonly names: Automaton;
  readonly value: Formula;
}

/** All of these hold of an object in the set. */
export interface ObjectShape {
  /** Members by name, in the order in which they are written. */
  readonly fields: ReadonlyMap<string, Formula>;
  /** All other members: disjoint, together any name. */
  readonly rest: readonly NamedBy[];
  readonly required: ReadonlySet<string>;
  readonly least: number;
  readonly most: number;
  /** Each asks for at least one member with one of its names and a value of its set. */
  readonly some: readonly NamedBy[];
  /** What `unevaluatedProperties` passes over. Kept only where that keyword looks. */
  readonly evaluated: Automaton;
  /** Whether a `properties` named members, and nothing was said of all others. */
  readonly closable: boolean;
  readonly said: boolean;
}

export function anyObject({ any }: Formulas): ObjectShape {
  return {
    fields: new Map(),
    rest: [{ names: ANY_STRING, value: any }],
    required: new Set(),
    least: 0,
    most: Infinity,
    some: [],
    evaluated: NO_STRING,
    closable: false,
    said: false,
  };
}

/** What a member of this name must be. */
export function memberOf({ fields, rest }: ObjectShape, name: string): Formula {
  const value = fields.get(name) ?? rest.find(({ names }) => accepts(names, name))?.value;
  // A name with a lone surrogate is in no automaton; such members are never written.
  return value ?? rest[0]!.value;
}

export function intersectObjects(a: ObjectShape, b: ObjectShape, formulas: Formulas): ObjectShape {
  const names = new Set([...a.fields.keys(), ...b.fields.keys()]);
  const fields = new Map<string, Formula>();
  for (const name of names) fields.set(name, formulas.and(memberOf(a, name), memberOf(b, name)));
  return {
    fields,
    rest: intersectRests(a.rest, b.rest, formulas),
    required: new Set([...a.required, ...b.required]),
    least: Math.max(a.least, b.least),
    most: Math.min(a.most, b.most),
    some: [...a.some, ...b.some],
    evaluated: unite(a.evaluated, b.evaluated),
    closable: a.closable || b.closable,
    said: a.said || b.said,
  };
}

/** Overlapping patterns double them, each. */
const MAX_CLASSES = 32;

function intersectRests(a: readonly NamedBy[], b: readonly NamedBy[], formulas: Formulas): NamedBy[] {
  const found = new Map<Formula, Automaton>();
  for (const ofA of a) {
    for (const ofB of b) {
      const names = intersect(ofA.names, ofB.names);
      if (isEmpty(names)) continue;
      const value = formulas.and(ofA.value, ofB.value);
      found.set(value, unite(names, found.get(value) ?? NO_STRING));
      if (found.size > MAX_CLASSES)
        throw new LimitReached(`names fall into more than ${MAX_CLASSES} classes`);
    }
  }
  return [...found].map(([value, names]) => ({ names, value }));
}

/** The objects that `shape` leaves out, as a union: one alternative for each thing that it asks. */
export function otherObjects(shape: ObjectShape, formulas: Formulas): ObjectShape[] {
  const any = anyObject(formulas);
  const found: ObjectShape[] = [];
  const breaking = (part: Partial<ObjectShape>) => found.push({ ...any, ...part });
  for (const [name, value] of shape.fields) {
    if (value === formulas.any) continue;
    breaking({ fields: new Map([[name, formulas.not(value)]]), required: new Set([name]) });
  }
  const named = words(shape.fields.keys());
  for (const { names, value } of shape.rest) {
    const others = subtract(names, named);
    if (value === formulas.any || isEmpty(others)) continue;
    breaking({ some: [{ names: others, value: formulas.not(value) }] });
  }
  for (const name of shape.required) breaking({ fields: new Map([[name, formulas.none]]) });
  if (shape.least > 0) breaking({ most: shape.least - 1 });
  if (shape.most < Infinity) breaking({ least: shape.most + 1 });
  for (const { names, value } of shape.some) {
    breaking({ rest: restOf([{ names, value: formulas.not(value) }], formulas) });
  }
  return found;
}

/** A partition of all names from sets that may overlap; a name in none of them has no condition. */
export function restOf(conditions: readonly NamedBy[], formulas: Formulas): NamedBy[] {
  let rest: NamedBy[] = [{ names: ANY_STRING, value: formulas.any }];
  for (const { names, value } of conditions) {
    const others = subtract(ANY_STRING, names);
    const split = [
      { names, value },
      { names: others, value: formulas.any },
    ].filter((part) => !isEmpty(part.names));
    rest = intersectRests(rest, split, formulas);
  }
  return rest;
}
