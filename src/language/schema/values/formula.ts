/**
 * Sets of JSON values as Boolean formulas over schemas, not yet worked out: what a property or an item must be. Equal formulas are one
 * object, so that recursive schemas come to an end.
 */
import type { SchemaNode } from '../document.ts';
import { canonicalText } from './json.ts';

export type Formula =
  | { readonly id: number; readonly kind: 'any' | 'none' }
  | { readonly id: number; readonly kind: 'schema'; readonly node: SchemaNode }
  | { readonly id: number; readonly kind: 'value'; readonly value: unknown }
  | { readonly id: number; readonly kind: 'and' | 'or'; readonly parts: readonly Formula[] }
  | { readonly id: number; readonly kind: 'not'; readonly part: Formula };

export interface Formulas {
  readonly any: Formula;
  readonly none: Formula;
  schema(node: SchemaNode): Formula;
  /** Exactly this JSON value. */
  value(value: unknown): Formula;
  and(...parts: readonly Formula[]): Formula;
  or(...parts: readonly Formula[]): Formula;
  not(part: Formula): Formula;
}

export function createFormulas(): Formulas {
  const known = new Map<string, Formula>();
  const any: Formula = { id: 0, kind: 'any' };
  const none: Formula = { id: 1, kind: 'none' };

  function intern(key: string, make: (id: number) => Formula): Formula {
    const found = known.get(key) ?? make(known.size + 2);
    known.set(key, found);
    return found;
  }

  function join(kind: 'and' | 'or', given: readonly Formula[]): Formula {
    const [neutral, absorbing] = kind === 'and' ? [any, none] : [none, any];
    const flat = given.flatMap((part) => (part.kind === kind ? part.parts : [part]));
    const parts = [...new Set(flat)].filter((part) => part !== neutral).sort((a, b) => a.id - b.id);
    if (parts.includes(absorbing)) return absorbing;
    if (parts.some((part) => part.kind === 'not' && parts.includes(part.part))) return absorbing;
    if (parts.length === 0) return neutral;
    if (parts.length === 1) return parts[0]!;
    return intern(`${kind} ${parts.map(({ id }) => id).join()}`, (id) => ({ id, kind, parts }));
  }

  return {
    any,
    none,
    schema(node) {
      if (node.schema === true) return any;
      if (node.schema === false) return none;
      return intern(`schema ${node.key}`, (id) => ({ id, kind: 'schema', node }));
    },
    value(value) {
      return intern(`value ${canonicalText(value)}`, (id) => ({ id, kind: 'value', value }));
    },
    and: (...parts) => join('and', parts),
    or: (...parts) => join('or', parts),
    not(part) {
      if (part === any) return none;
      if (part === none) return any;
      if (part.kind === 'not') return part.part;
      return intern(`not ${part.id}`, (id) => ({ id, kind: 'not', part }));
    },
  };
}
