/** What the keywords that put schemas together ask. */
import { anyValue, intersectValues, NO_VALUE, uniteValues, type ValueSet } from '../values/value-set.ts';
import type { Place } from './context.ts';

export function referredValues({ schema, node, tracks, context }: Place): ValueSet | undefined {
  const { document, evaluate, algebra } = context;
  const found = (['$ref', '$dynamicRef'] as const)
    .filter((keyword) => schema[keyword] !== undefined)
    .map((keyword) => evaluate(document.resolve(node, keyword), tracks));
  if (found.length === 0) return undefined;
  return found.reduce((a, b) => intersectValues(a, b, algebra));
}

export function allOfValues(place: Place): ValueSet | undefined {
  const { algebra } = place.context;
  return branches(place, 'allOf')?.reduce((a, b) => intersectValues(a, b, algebra));
}

export function anyOfValues(place: Place): ValueSet | undefined {
  const { node, tracks, context } = place;
  const { algebra, negate } = context;
  const sets = branches(place, 'anyOf');
  if (sets === undefined) return undefined;
  if (!tracks) return sets.reduce((a, b) => uniteValues(a, b, algebra));
  // Each branch that holds evaluates, so it must be known which of them hold: those values that one adds are told apart from the others.
  let matched = NO_VALUE;
  let unmatched = anyValue(algebra.formulas);
  for (const set of sets) {
    const other = negate(set, `${node.pointer}/anyOf`);
    const before = uniteValues(
      intersectValues(matched, set, algebra),
      intersectValues(matched, other, algebra),
      algebra,
    );
    matched = uniteValues(before, intersectValues(unmatched, set, algebra), algebra);
    unmatched = intersectValues(unmatched, other, algebra);
  }
  return matched;
}

/** Branches that can hold together are made to exclude one another. */
export function oneOfValues(place: Place): ValueSet | undefined {
  const { node, context } = place;
  const { algebra, negate, isSurelyEmpty } = context;
  const sets = branches(place, 'oneOf');
  if (sets === undefined) return undefined;
  const overlaps = sets.map((): ValueSet[] => []);
  for (const [index, set] of sets.entries()) {
    for (let other = index + 1; other < sets.length; other += 1) {
      if (isSurelyEmpty(intersectValues(set, sets[other]!, algebra))) continue;
      overlaps[index]!.push(sets[other]!);
      overlaps[other]!.push(set);
    }
  }
  const exclusive = sets.map((set, index) =>
    overlaps[index]!.reduce(
      (rest, other) => intersectValues(rest, negate(other, `${node.pointer}/oneOf`), algebra),
      set,
    ),
  );
  return exclusive.reduce((a, b) => uniteValues(a, b, algebra));
}

export function notValues({ schema, node, context }: Place): ValueSet | undefined {
  if (schema['not'] === undefined) return undefined;
  return context.negate(context.evaluate(context.document.child(node, 'not'), false), `${node.pointer}/not`);
}

/** `then` and `else` say nothing without `if`; an `if` alone says nothing, but it evaluates. */
export function conditionalValues({ schema, node, tracks, context }: Place): ValueSet | undefined {
  const { algebra, document, evaluate, negate } = context;
  if (schema['if'] === undefined) return undefined;
  if (schema['then'] === undefined && schema['else'] === undefined && !tracks) return undefined;
  const condition = evaluate(document.child(node, 'if'), tracks);
  const branch = (keyword: 'then' | 'else', set: ValueSet) =>
    schema[keyword] === undefined
      ? set
      : intersectValues(set, evaluate(document.child(node, keyword), tracks), algebra);
  const otherwise = negate(condition, `${node.pointer}/if`);
  return uniteValues(branch('then', condition), branch('else', otherwise), algebra);
}

function branches(
  { schema, node, tracks, context }: Place,
  keyword: 'allOf' | 'anyOf' | 'oneOf',
): ValueSet[] | undefined {
  const list = schema[keyword] as readonly unknown[] | undefined;
  return list?.map((_, index) => context.evaluate(context.document.child(node, keyword, index), tracks));
}
