/** From the meaning of a schema to the text of its grammar. */
import type { SchemaLimits } from '../limits.ts';
import { placeOf, type SchemaMeaning } from '../meaning/evaluate.ts';
import { invalid, LimitReached, unsupported } from '../refusal.ts';
import { isEmpty } from '../text/automaton.ts';
import { writtenNumbers } from '../text/number-texts.ts';
import { INTEGERS } from '../text/numbers.ts';
import type { Formula } from '../values/formula.ts';
import { arrayAlternatives } from './array-rules.ts';
import { objectAlternatives } from './object-rules.ts';
import { printGrammar } from './print.ts';
import { type Alternative, createRules, refer, removeEndless, text, withoutAliases } from './rules.ts';
import { createTextRules } from './text-rules.ts';
import type { Writer } from './writer.ts';

export interface WritingOptions {
  readonly limits: SchemaLimits;
  readonly openObjects: boolean;
  /** Name of the first rule. */
  readonly root: string;
}

/** Throws an `AppError` for what has no value, and for a grammar beyond the limits. */
export function writeGrammar(
  meaning: SchemaMeaning,
  { limits, openObjects, root: rootName }: WritingOptions,
): string {
  const rules = createRules(limits.rules);
  const known = new Map<Formula, number>();
  const waiting: { rule: number; place: string; alternatives: () => readonly Alternative[] }[] = [];
  /** The place in the schema of what is being written. */
  let place = '';
  const space = refer(rules.add('space', [[text(' ')], []]));
  const writer: Writer = {
    ...meaning,
    rules,
    texts: createTextRules(rules),
    limits,
    openObjects,
    separator: [text(','), space],
    space,
    value,
    later: (rule, alternatives) => waiting.push({ rule, place, alternatives }),
  };

  function value(formula: Formula) {
    let rule = known.get(formula);
    if (rule === undefined) {
      rule = rules.name('value');
      known.set(formula, rule);
      waiting.push({ rule, place: placeOf(formula), alternatives: () => valueAlternatives(formula) });
    }
    return refer(rule);
  }

  function valueAlternatives(formula: Formula): Alternative[] {
    const set = meaning.expand(formula);
    const names = (['null', 'true', 'false'] as const).filter((name) => set[name]);
    const numbers = writtenNumbers(set.number.sure, INTEGERS, openObjects);
    return [
      ...names.map((name) => [text(name)]),
      ...(isEmpty(numbers) ? [] : [[writer.texts.plain(numbers)]]),
      ...(isEmpty(set.string.sure) ? [] : [[text('"'), writer.texts.quoted(set.string.sure)]]),
      ...set.arrays.flatMap((shape) => arrayAlternatives(shape, writer)),
      ...set.objects.flatMap((shape) => objectAlternatives(shape, writer)),
    ];
  }

  const root = rules.add('root', [[value(meaning.root)]]);
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    place = next.place;
    try {
      rules.define(next.rule, next.alternatives());
    } catch (thrown) {
      throw thrown instanceof LimitReached ? unsupported(place, thrown.message) : thrown;
    }
  }
  const finite = removeEndless(rules.all);
  if (finite[root]!.alternatives.length === 0) throw invalid('', 'no value satisfies it');
  const { gbnf } = printGrammar(withoutAliases(finite), root, rootName);
  const bytes = Buffer.byteLength(gbnf);
  if (bytes > limits.grammarBytes) {
    throw unsupported('', `its grammar has ${bytes} bytes; at most ${limits.grammarBytes} are accepted`);
  }
  return gbnf;
}
