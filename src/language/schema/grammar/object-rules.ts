/**
 * Objects as rules: named members in the order of the schema, then all others. A member of another name may be written twice, which no
 * grammar of moderate size can prevent; readers of JSON keep the last.
 */
import { LimitReached } from '../refusal.ts';
import { accepts, intersect, isEmpty, subtract } from '../text/automaton.ts';
import { words } from '../text/words.ts';
import type { Formula } from '../values/formula.ts';
import { memberOf, type NamedBy, type ObjectShape } from '../values/object-shape.ts';
import { factored, type Literal } from './literals.ts';
import { type Alternative, type GrammarSymbol, refer, text } from './rules.ts';
import type { Writer } from './writer.ts';

/** So many ways on from all members together: each member that may be left out has one for each of those that may follow it. */
const MAX_WAYS = 4000;
/** Fewer would leave the sampler many stacks to follow. */
const LEAST_LOOKAHEAD = 8;
/** Members that must exist without a name being given; each doubles the places. */
const MAX_SOME = 4;

/** The next named member, members so far as far as that matters, and which of `some` have been written (bits). */
interface Place {
  readonly next: number;
  readonly count: number;
  readonly met: number;
}

interface Member {
  readonly name: string;
  readonly value: Formula;
  readonly isRequired: boolean;
}

export function objectAlternatives(shape: ObjectShape, writer: Writer): Alternative[] {
  const { rules, limits, separator, space } = writer;
  const { some } = shape;
  if (some.length > MAX_SOME) throw new LimitReached(`more than ${MAX_SOME} unnamed members that must exist`);
  const members = membersOf(shape);
  const others = othersOf(shape, members, writer);
  const { least, most } = bounds(shape, members, others.length > 0);
  if (least > limits.count) throw new LimitReached(`an object of more than ${limits.count} members`);
  const upTo = Math.min(most, Math.max(limits.count, least));
  const lastCount = most === Infinity ? least : upTo;
  const allMet = (1 << some.length) - 1;
  const lastRequired = members.findLastIndex(({ isRequired }) => isRequired);
  const lookahead = Math.max(LEAST_LOOKAHEAD, Math.floor(MAX_WAYS / members.length));
  const known = new Map<string, number>();

  const canEnd = ({ next, count, met }: Place) => next > lastRequired && count >= least && met === allMet;
  const isFull = ({ count }: Place) => most !== Infinity && count >= upTo;

  function after(place: Place): number {
    return once('members', place, () => [
      ...(canEnd(place) ? [[text('}')]] : []),
      ...(isFull(place) ? [] : [[...separator, text('"'), refer(member(place))]]),
    ]);
  }

  /** From behind the first quotation mark of a name on. */
  function member(place: Place): number {
    return once('member', place, () => {
      const literals: Literal[] = [];
      for (let index = place.next; index < members.length; index += 1) {
        const { name, value, isRequired } = members[index]!;
        const label = `${JSON.stringify(name).slice(1)}:`;
        for (const way of waysOf(name, value, place)) {
          literals.push({
            text: label,
            onward: [space, way.value, refer(after({ ...way.place, next: index + 1 }))],
          });
        }
        if (isRequired) return factored(literals, rules);
        if (index - place.next >= lookahead) {
          return [...factored(literals, rules), [refer(member({ ...place, next: index + 1 }))]];
        }
      }
      return [...factored(literals, rules), ...otherMembers(place)];
    });
  }

  function otherMembers(place: Place): Alternative[] {
    return others.flatMap(({ names, value, may }) =>
      ways(value, may, place).map((way): Alternative => {
        const next = after({ ...way.place, next: members.length });
        return [writer.texts.quoted(names), text(':'), space, way.value, refer(next)];
      }),
    );
  }

  function waysOf(name: string, value: Formula, place: Place) {
    const may = some.flatMap(({ names }, index) => (accepts(names, name) ? [index] : []));
    return ways(value, may, place);
  }

  /** A member may count for some of what must exist, or for none of it. */
  function ways(
    value: Formula,
    may: readonly number[],
    { count, met }: Place,
  ): { value: GrammarSymbol; place: Place }[] {
    let found = [{ value, met }];
    for (const index of may) {
      if ((met & (1 << index)) !== 0) continue;
      found = found.flatMap((way) => [
        way,
        { value: writer.formulas.and(way.value, some[index]!.value), met: way.met | (1 << index) },
      ]);
    }
    const place = { next: 0, count: Math.min(count + 1, lastCount) };
    return found.map((way) => ({ value: writer.value(way.value), place: { ...place, met: way.met } }));
  }

  function once(hint: string, place: Place, alternatives: () => Alternative[]): number {
    const key = `${hint} ${place.next} ${place.count} ${place.met}`;
    let rule = known.get(key);
    if (rule === undefined) {
      rule = rules.name(hint);
      known.set(key, rule);
      writer.later(rule, alternatives);
    }
    return rule;
  }

  const start: Place = { next: 0, count: 0, met: 0 };
  return [
    ...(canEnd(start) ? [[text('{}')]] : []),
    ...(isFull(start) ? [] : [[text('{"'), refer(member(start))]]),
  ];
}

/** Named members, those first that `properties` names, without those that may not be there. */
function membersOf(shape: ObjectShape): Member[] {
  const names = new Set([...shape.fields.keys(), ...shape.required]);
  return [...names]
    .map((name) => ({ name, value: memberOf(shape, name), isRequired: shape.required.has(name) }))
    .filter(({ value, isRequired }) => isRequired || value.kind !== 'none');
}

/** Members of other names, in sets that agree on which of `some` a name may count for. */
interface Other extends NamedBy {
  readonly may: readonly number[];
}

function othersOf(shape: ObjectShape, members: readonly Member[], writer: Writer): Other[] {
  if (isClosed(shape, members, writer)) return [];
  const named = words([...shape.fields.keys(), ...shape.required]);
  let others: Other[] = shape.rest
    .filter(({ value }) => value.kind !== 'none')
    .map(({ names, value }) => ({ names: subtract(names, named), value, may: [] }));
  for (const [index, { names }] of shape.some.entries()) {
    others = others.flatMap((other) => [
      { ...other, names: intersect(other.names, names), may: [...other.may, index] },
      { ...other, names: subtract(other.names, names) },
    ]);
  }
  return others.filter(({ names }) => !isEmpty(names));
}

/** Where the schema leaves other members open, a model would only invent some; but they stay where it cannot be satisfied without. */
function isClosed(
  { closable, said, least, some }: ObjectShape,
  members: readonly Member[],
  writer: Writer,
): boolean {
  if (writer.openObjects || !closable || said || members.length < least) return false;
  return some.every(({ names }) => members.some(({ name }) => accepts(names, name)));
}

/** The counts that still matter beside the names. */
function bounds({ least, most, required }: ObjectShape, members: readonly Member[], hasOthers: boolean) {
  return {
    least: least <= required.size ? 0 : least,
    most: !hasOthers && members.length <= most ? Infinity : most,
  };
}
