/** What the meaning of a keyword is worked out with. */
import type { SchemaDocument, SchemaNode } from '../document.ts';
import type { SchemaLimits } from '../limits.ts';
import { unsupported } from '../refusal.ts';
import type { Algebra, ValueSet } from '../values/value-set.ts';

export interface MeaningOptions {
  readonly limits: SchemaLimits;
  /** Whether `format` is enforced, or says nothing, as the specification has it by default. */
  readonly formats: 'assert' | 'annotation';
}

export interface Context extends MeaningOptions {
  readonly algebra: Algebra;
  readonly document: SchemaDocument;
  /** The set of a schema in place, with what it evaluates if `tracks`. Throws where schemas mean one another in a circle. */
  evaluate(node: SchemaNode, tracks: boolean): ValueSet;
  /** Everything else; refused where the set is not known exactly. `pointer` is the place that asks. */
  negate(set: ValueSet, pointer: string): ValueSet;
  isSurelyEmpty(set: ValueSet): boolean;
}

/** A schema that is an object, and how it is evaluated. */
export interface Place {
  readonly node: SchemaNode;
  readonly schema: Readonly<Record<string, unknown>>;
  /** Whether an `unevaluatedProperties` or `unevaluatedItems` here or around here asks what has been evaluated. */
  readonly tracks: boolean;
  readonly context: Context;
}

/** What some keywords of a schema ask; undefined where none of them is there. */
export type Meaning = (place: Place) => ValueSet | undefined;

/** So many items or members would each be rules of their own. */
export function requireCount(keyword: string, { schema, node, context }: Place): void {
  const count = (schema[keyword] as number | undefined) ?? 0;
  const most = context.limits.count;
  if (count > most) throw unsupported(`${node.pointer}/${keyword}`, `"${keyword}" is more than ${most}`);
}
