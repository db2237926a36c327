/** What the keywords for any type, for numbers and for strings ask. */
import { invalid, unsupported } from '../refusal.ts';
import { intersect, NO_STRING, unite } from '../text/automaton.ts';
import { formatStrings, NUMBER_FORMATS } from '../text/formats.ts';
import { ANY_NUMBER } from '../text/number-texts.ts';
import { type Comparison, INTEGERS, multiplesOf, numbersThat } from '../text/numbers.ts';
import { patternStrings } from '../text/pattern.ts';
import { UnsupportedPattern } from '../text/pattern-parser.ts';
import type { Automaton } from '../text/states.ts';
import { lengths } from '../text/words.ts';
import { anyArray } from '../values/array-shape.ts';
import { anyObject } from '../values/object-shape.ts';
import { anyValue, exactly, NO_VALUE, type Texts, type ValueSet, valuesOf } from '../values/value-set.ts';
import type { Place } from './context.ts';

export function typeValues({ schema: { type }, context }: Place): ValueSet | undefined {
  if (type === undefined) return undefined;
  const types = Array.isArray(type) ? type : [type];
  const has = (name: string) => types.includes(name);
  const { formulas } = context.algebra;
  const integers = has('integer') ? INTEGERS : NO_STRING;
  return {
    null: has('null'),
    true: has('boolean'),
    false: has('boolean'),
    number: exactly(has('number') ? ANY_NUMBER : integers),
    string: has('string') ? anyValue(formulas).string : NO_VALUE.string,
    arrays: has('array') ? [anyArray(formulas)] : [],
    objects: has('object') ? [anyObject(formulas)] : [],
  };
}

export function enumValues({ schema, node, context }: Place): ValueSet | undefined {
  const values = schema['enum'] as readonly unknown[] | undefined;
  if (values === undefined) return undefined;
  if (values.length === 0) throw unsupported(`${node.pointer}/enum`, 'it has no values');
  const most = context.limits.enumValues;
  if (values.length > most) throw unsupported(`${node.pointer}/enum`, `it has more than ${most} values`);
  return valuesOf(values, context.algebra.formulas);
}

export function constValue({ schema, context }: Place): ValueSet | undefined {
  return Object.hasOwn(schema, 'const') ? valuesOf([schema['const']], context.algebra.formulas) : undefined;
}

const BOUNDS: Readonly<Record<string, Comparison>> = {
  minimum: '>=',
  maximum: '<=',
  exclusiveMinimum: '>',
  exclusiveMaximum: '<',
};

export function boundedNumbers({ schema, node, context }: Place): ValueSet | undefined {
  let set = ANY_NUMBER;
  for (const [keyword, comparison] of Object.entries(BOUNDS)) {
    const bound = schema[keyword] as number | undefined;
    if (bound === undefined) continue;
    const numbers = numbersThat(comparison, bound);
    if (numbers === undefined) {
      throw unsupported(`${node.pointer}/${keyword}`, `"${keyword}" beyond 1e21 or nearer to 0 than 1e-6`);
    }
    set = intersect(set, numbers);
  }
  return set === ANY_NUMBER ? undefined : { ...anyValue(context.algebra.formulas), number: exactly(set) };
}

export function multipleNumbers({ schema, context }: Place): ValueSet | undefined {
  const divisor = schema['multipleOf'] as number | undefined;
  if (divisor === undefined) return undefined;
  const { members, undecided } = multiplesOf(divisor);
  const number: Texts = { sure: members, maybe: unite(members, undecided) };
  return { ...anyValue(context.algebra.formulas), number };
}

export function lengthStrings({ schema, node, context }: Place): ValueSet | undefined {
  const least = (schema['minLength'] as number | undefined) ?? 0;
  const most = (schema['maxLength'] as number | undefined) ?? Infinity;
  if (least === 0 && most === Infinity) return undefined;
  const limit = context.limits.length;
  if (least > limit) throw unsupported(`${node.pointer}/minLength`, `"minLength" is more than ${limit}`);
  const any = anyValue(context.algebra.formulas);
  if (most === Infinity || most <= limit) return { ...any, string: exactly(lengths(least, most)) };
  return { ...any, string: { sure: lengths(least, limit), maybe: lengths(least, Infinity) } };
}

export function patternedStrings({ schema, node, context }: Place): ValueSet | undefined {
  const pattern = schema['pattern'] as string | undefined;
  if (pattern === undefined) return undefined;
  const set = patternAt(pattern, `${node.pointer}/pattern`);
  return { ...anyValue(context.algebra.formulas), string: exactly(set) };
}

/** Also for the names of `patternProperties`. */
export function patternAt(pattern: string, pointer: string): Automaton {
  try {
    new RegExp(pattern, 'u');
  } catch (cause) {
    throw invalid(
      pointer,
      `"${pattern.slice(0, 100)}" is no regular expression (${(cause as Error).message})`,
    );
  }
  try {
    return patternStrings(pattern);
  } catch (cause) {
    if (cause instanceof UnsupportedPattern) throw unsupported(pointer, cause.message);
    throw cause;
  }
}

export function formattedValues({ schema, node, context }: Place): ValueSet | undefined {
  const format = schema['format'] as string | undefined;
  if (format === undefined || context.formats === 'annotation') return undefined;
  const any = anyValue(context.algebra.formulas);
  const strings = formatStrings(format);
  if (strings !== undefined) return { ...any, string: { sure: strings, maybe: any.string.maybe } };
  const numbers = Object.hasOwn(NUMBER_FORMATS, format) ? NUMBER_FORMATS[format] : undefined;
  if (numbers === undefined) {
    throw unsupported(`${node.pointer}/format`, `"${format.slice(0, 100)}" is no format known here`);
  }
  if (numbers === 'number') return undefined;
  if (numbers === 'integer') return { ...any, number: exactly(INTEGERS) };
  const least = numbersThat('>=', -(2 ** 31))!;
  const most = numbersThat('<=', 2 ** 31 - 1)!;
  return { ...any, number: exactly(intersect(INTEGERS, intersect(least, most))) };
}
