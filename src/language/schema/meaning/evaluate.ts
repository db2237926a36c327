/** From a schema to the set of its values. */
import type { SchemaNode } from '../document.ts';
import { openDocument } from '../document.ts';
import { invalid, LimitReached, unsupported } from '../refusal.ts';
import { createFormulas, type Formula, type Formulas } from '../values/formula.ts';
import {
  type Algebra,
  anyValue,
  intersectValues,
  NO_VALUE,
  otherValues,
  uniteValues,
  type ValueSet,
  valuesOf,
} from '../values/value-set.ts';
import { containingArrays, listedArrays, withUnevaluatedItems } from './arrays.ts';
import {
  allOfValues,
  anyOfValues,
  conditionalValues,
  notValues,
  oneOfValues,
  referredValues,
} from './combined.ts';
import type { Context, Meaning, MeaningOptions, Place } from './context.ts';
import { createEmptiness, LOOK_LEVELS } from './emptiness.ts';
import {
  countedObjects,
  dependentObjects,
  memberObjects,
  namedObjects,
  withUnevaluatedProperties,
} from './objects.ts';
import {
  boundedNumbers,
  constValue,
  enumValues,
  formattedValues,
  lengthStrings,
  multipleNumbers,
  patternedStrings,
  typeValues,
} from './scalars.ts';

/**
 * Every keyword that asks for something stands in one of these; what narrows most comes first. `unevaluatedProperties` and
 * `unevaluatedItems` come after all.
 */
const MEANINGS: readonly { readonly keywords: readonly string[]; readonly meaning: Meaning }[] = [
  { keywords: ['type'], meaning: typeValues },
  { keywords: ['enum'], meaning: enumValues },
  { keywords: ['const'], meaning: constValue },
  { keywords: ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum'], meaning: boundedNumbers },
  { keywords: ['multipleOf'], meaning: multipleNumbers },
  { keywords: ['minLength', 'maxLength'], meaning: lengthStrings },
  { keywords: ['pattern'], meaning: patternedStrings },
  { keywords: ['format'], meaning: formattedValues },
  { keywords: ['patternProperties', 'properties', 'additionalProperties'], meaning: memberObjects },
  { keywords: ['required', 'minProperties', 'maxProperties'], meaning: countedObjects },
  { keywords: ['propertyNames'], meaning: namedObjects },
  { keywords: ['prefixItems', 'items', 'minItems', 'maxItems', 'uniqueItems'], meaning: listedArrays },
  { keywords: ['contains', 'minContains', 'maxContains'], meaning: containingArrays },
  { keywords: ['$ref', '$dynamicRef'], meaning: referredValues },
  { keywords: ['allOf'], meaning: allOfValues },
  { keywords: ['anyOf'], meaning: anyOfValues },
  { keywords: ['oneOf'], meaning: oneOfValues },
  { keywords: ['not'], meaning: notValues },
  { keywords: ['if', 'then', 'else'], meaning: conditionalValues },
  { keywords: ['dependentRequired', 'dependentSchemas'], meaning: dependentObjects },
];

export interface SchemaMeaning {
  readonly root: Formula;
  readonly formulas: Formulas;
  /** Throws an `AppError` where a schema in it has no meaning that could be enforced. */
  expand(formula: Formula): ValueSet;
}

/** Schemas and formulas worked out for one document; more is an attack, or will not fit the grammar's limit anyway. */
const MAX_SETS = 50_000;

export function readMeaning(schema: unknown, options: MeaningOptions): SchemaMeaning {
  const document = openDocument(schema, options.limits);
  const formulas = createFormulas();
  const known = new Map<string, ValueSet>();
  const open = new Set<string>();
  let sets = 0;

  /** Once for each key; throws `Circular` for a key that is being worked out. */
  function once(key: string, pointer: string, work: () => ValueSet): ValueSet {
    const found = known.get(key);
    if (found !== undefined) return found;
    if (open.has(key)) throw new Circular(pointer);
    sets += 1;
    if (sets > MAX_SETS) throw unsupported('', `it has more than ${MAX_SETS} combinations of schemas`);
    open.add(key);
    try {
      const set = withPlace(pointer, work);
      known.set(key, set);
      return set;
    } finally {
      open.delete(key);
    }
  }

  const emptiness = createEmptiness((formula) => {
    try {
      return work(formula);
    } catch (thrown) {
      if (thrown instanceof Circular) return undefined;
      throw thrown;
    }
  });
  const algebra: Algebra = {
    formulas,
    alternatives: options.limits.alternatives,
    isEmptyArray: (shape) => emptiness.array(shape, LOOK_LEVELS),
    isEmptyObject: (shape) => emptiness.object(shape, LOOK_LEVELS),
  };
  const context: Context = {
    ...options,
    algebra,
    document,
    evaluate,
    negate(set, pointer) {
      if (set.string.sure !== set.string.maybe) {
        throw unsupported(pointer, 'a "format", or a "maxLength" beyond the limit, cannot be negated');
      }
      return otherValues(set, algebra);
    },
    isSurelyEmpty: (set) => emptiness.set(set, LOOK_LEVELS),
  };

  function evaluate(node: SchemaNode, tracks: boolean): ValueSet {
    const { schema } = node;
    if (schema === true) return anyValue(formulas);
    if (schema === false) return NO_VALUE;
    const looks = schema['unevaluatedProperties'] !== undefined || schema['unevaluatedItems'] !== undefined;
    const place: Place = { node, schema, tracks: tracks || looks, context };
    return once(`${tracks} ${node.key}`, node.pointer, () => {
      let set = anyValue(formulas);
      for (const { keywords, meaning } of MEANINGS) {
        const keyword = keywords.find((name) => Object.hasOwn(schema, name));
        if (keyword === undefined) continue;
        set = withPlace(`${node.pointer}/${keyword}`, () => {
          const asked = meaning(place);
          return asked === undefined ? set : intersectValues(set, asked, algebra);
        });
      }
      return withUnevaluatedItems(withUnevaluatedProperties(set, place), place);
    });
  }

  /** One level of a formula. */
  function work(formula: Formula): ValueSet {
    switch (formula.kind) {
      case 'any':
        return anyValue(formulas);
      case 'none':
        return NO_VALUE;
      case 'schema':
        return evaluate(formula.node, false);
      case 'value':
        return valuesOf([formula.value], formulas);
      case 'not':
      case 'and':
      case 'or':
        return once(`formula ${formula.id}`, placeOf(formula), () => {
          if (formula.kind === 'not') return context.negate(work(formula.part), placeOf(formula));
          const join = formula.kind === 'and' ? intersectValues : uniteValues;
          return formula.parts.map(work).reduce((a, b) => join(a, b, algebra));
        });
    }
  }

  function expand(formula: Formula): ValueSet {
    try {
      return work(formula);
    } catch (thrown) {
      if (thrown instanceof Circular) throw invalid(thrown.pointer, 'it refers to itself without an end');
      throw thrown;
    }
  }

  return { root: formulas.schema(document.root), formulas, expand };
}

/** Limits reached within are refused with the place. */
function withPlace(pointer: string, work: () => ValueSet): ValueSet {
  try {
    return work();
  } catch (thrown) {
    throw thrown instanceof LimitReached ? unsupported(pointer, thrown.message) : thrown;
  }
}

/** Where a formula comes from, for messages: the first schema in it. */
export function placeOf(formula: Formula): string {
  if (formula.kind === 'schema') return formula.node.pointer;
  if (formula.kind === 'not') return placeOf(formula.part);
  if (formula.kind === 'and' || formula.kind === 'or') return placeOf(formula.parts[0]!);
  return '';
}

/** The meaning of a schema was asked while it was being worked out. */
class Circular extends Error {
  readonly pointer: string;

  constructor(pointer: string) {
    super(`the schema at ${pointer} is being worked out`);
    this.pointer = pointer;
  }
}
