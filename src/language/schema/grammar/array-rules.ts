/** Arrays as rules: one for each place among the items at which something may still be asked. */
import { LimitReached, unsupported } from '../refusal.ts';
import { listStrings } from '../text/automaton.ts';
import { canonicalNumbers } from '../text/number-texts.ts';
import { type ArrayShape, type Counted, itemAt } from '../values/array-shape.ts';
import type { Formula } from '../values/formula.ts';
import { factored, type Literal } from './literals.ts';
import { type Alternative, refer, text } from './rules.ts';
import type { Writer } from './writer.ts';

/** The alternatives of an array of this shape. */
export function arrayAlternatives(shape: ArrayShape, writer: Writer): Alternative[] {
  if (shape.unique !== undefined && shape.most > 1) return distinctItems(shape, shape.unique, writer);
  return anyItems(shape, writer);
}

/** Items so far, and how many of them are in each of the counted sets. */
type Place = readonly number[];

/** Counting goes no further than where more makes no difference. */
function anyItems(shape: ArrayShape, writer: Writer): Alternative[] {
  const { rules, formulas, limits, separator } = writer;
  const { prefix, least, counted } = shape;
  if (least > limits.count) throw new LimitReached(`an array of more than ${limits.count} items`);
  const most = shape.most === Infinity ? Infinity : Math.min(shape.most, limits.count);
  const fromLast = Math.max(0, ...counted.map(({ from }) => from));
  const lastIndex = Math.max(prefix.length, least, fromLast, most === Infinity ? 0 : most);
  const known = new Map<string, number>();

  const canEnd = ([items, ...counts]: Place) =>
    items! >= least && counted.every((part, index) => counts[index]! >= part.least);

  function after(place: Place): number {
    return once('items', place, () => [
      ...(canEnd(place) ? [[text(']')]] : []),
      ...(place[0]! < most ? [[...separator, refer(item(place))]] : []),
    ]);
  }

  function item(place: Place): number {
    return once('item', place, () => {
      const [items, ...counts] = place as [number, ...number[]];
      let ways: { value: Formula; counts: number[] }[] = [{ value: itemAt(shape, items), counts: [] }];
      for (const [index, part] of counted.entries()) {
        const steps = stepsOf(part, items, counts[index]!);
        ways = ways.flatMap(({ value, counts }) =>
          steps.map((step) => ({
            value: formulas.and(value, step.isIn === undefined ? formulas.any : step.isIn),
            counts: [...counts, step.count],
          })),
        );
      }
      const next = Math.min(items + 1, lastIndex);
      return ways.map(({ value, counts }) => [writer.value(value), refer(after([next, ...counts]))]);
    });
  }

  /** What the next item may be for one counted set, and the count after it. */
  function stepsOf(part: Counted, items: number, count: number): { isIn?: Formula; count: number }[] {
    if (items < part.from) return [{ count }];
    // Where more are welcome an item need not be shown to be outside: it is only not counted.
    if (part.most === Infinity) {
      return count >= part.least ? [{ count }] : [{ isIn: part.value, count: count + 1 }, { count }];
    }
    const outside = { isIn: formulas.not(part.value), count };
    return count < part.most ? [{ isIn: part.value, count: count + 1 }, outside] : [outside];
  }

  function once(hint: string, place: Place, alternatives: () => Alternative[]): number {
    const key = `${hint} ${place.join()}`;
    let rule = known.get(key);
    if (rule === undefined) {
      rule = rules.name(hint);
      known.set(key, rule);
      writer.later(rule, alternatives);
    }
    return rule;
  }

  const start: Place = [0, ...counted.map(() => 0)];
  return [...(canEnd(start) ? [[text('[]')]] : []), ...(most > 0 ? [[text('['), refer(item(start))]] : [])];
}

/** Which values have been used is the place: there must be few of them. */
function distinctItems(shape: ArrayShape, pointer: string, writer: Writer): Alternative[] {
  const { rules, limits, separator } = writer;
  if (shape.counted.length > 0) throw unsupported(pointer, '"uniqueItems" together with "contains"');
  const positions = [...shape.prefix, shape.rest].map((item) => textsOf(item, pointer, writer));
  const all = [...new Set(positions.flat())];
  if (all.length > limits.uniqueValues) throw tooMany(pointer, limits.uniqueValues);
  const most = Math.min(shape.most, all.length);
  const known = new Map<number, number>();

  function items(used: number, count: number): Literal[] {
    const allowed = positions[Math.min(count, shape.prefix.length)]!;
    return all.flatMap((value, index) => {
      if ((used & (1 << index)) !== 0 || !allowed.includes(value)) return [];
      return [{ text: value, onward: [refer(after(used | (1 << index), count + 1))] }];
    });
  }

  function after(used: number, count: number): number {
    const found = known.get(used);
    if (found !== undefined) return found;
    const rule = rules.name('items');
    known.set(used, rule);
    const more = count < most ? factored(items(used, count), rules) : [];
    rules.define(rule, [
      ...(count >= shape.least ? [[text(']')]] : []),
      ...(more.length > 0 ? [[...separator, refer(rules.add('item', more))]] : []),
    ]);
    return rule;
  }

  const first = factored(items(0, 0), rules);
  return [
    ...(shape.least === 0 ? [[text('[]')]] : []),
    ...(first.length > 0 ? [[text('['), refer(rules.add('item', first))]] : []),
  ];
}

/** Each value of the set as JSON.stringify writes it. */
function textsOf(formula: Formula, pointer: string, { expand, limits }: Writer): string[] {
  const set = expand(formula);
  const strings = listStrings(set.string.sure, limits.uniqueValues);
  const numbers = listStrings(canonicalNumbers(set.number.sure), limits.uniqueValues);
  if (strings === undefined || numbers === undefined) throw tooMany(pointer, limits.uniqueValues);
  if (set.arrays.length + set.objects.length > 0) {
    throw unsupported(pointer, '"uniqueItems" of arrays or objects cannot be enforced');
  }
  const names = (['null', 'true', 'false'] as const).filter((name) => set[name]);
  return [...names, ...numbers, ...strings.map((value) => JSON.stringify(value))];
}

function tooMany(pointer: string, limit: number) {
  return unsupported(
    pointer,
    `"uniqueItems" can be enforced only of items that have at most ${limit} values`,
  );
}
