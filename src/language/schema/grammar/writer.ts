/** What the rules of arrays and objects are written with. */
import type { SchemaLimits } from '../limits.ts';
import type { Formula, Formulas } from '../values/formula.ts';
import type { ValueSet } from '../values/value-set.ts';
import type { Alternative, GrammarSymbol, Rules } from './rules.ts';
import type { TextRules } from './text-rules.ts';

export interface Writer {
  readonly rules: Rules;
  readonly texts: TextRules;
  readonly formulas: Formulas;
  readonly limits: SchemaLimits;
  readonly openObjects: boolean;
  /** A comma and the space that may follow it. */
  readonly separator: Alternative;
  /** The space that may follow a colon. */
  readonly space: GrammarSymbol;
  expand(formula: Formula): ValueSet;
  /** A value of the set. */
  value(formula: Formula): GrammarSymbol;
  /** Defines the rule when those before it are done: schemas are as deep as clients make them. */
  later(rule: number, alternatives: () => readonly Alternative[]): void;
}
