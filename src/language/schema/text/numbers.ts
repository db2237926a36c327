/** Sets of numbers by bounds, divisors and values, as sets of their texts (`number-texts.ts`). */
import { LimitReached } from '../refusal.ts';
import { intersect, NO_STRING, unite } from './automaton.ts';
import { ANY_NUMBER, HUGE, TINY } from './number-texts.ts';
import { wholeStrings } from './pattern.ts';
import type { Automaton } from './states.ts';
import { automatonOf } from './words.ts';

const DIGITS = '0123456789';

/** What the set's texts certainly are (`members`), and what some of those beyond 10^21 or below 10^-6 may be besides. */
export interface Multiples {
  readonly members: Automaton;
  readonly undecided: Automaton;
}

/** Exact decimals: `digits / 10^decimals`. */
interface Decimal {
  readonly negative: boolean;
  readonly integer: string;
  readonly fraction: string;
}

export type Comparison = '<=' | '<' | '>=' | '>';

/** Undefined for bounds that are compared with exponents: those beyond 10^21 or, but for 0, below 10^-6. */
export function numbersThat(comparison: Comparison, bound: number): Automaton | undefined {
  const size = Math.abs(bound);
  if (size >= Number.MAX_VALUE) return comparison.startsWith('<') === bound > 0 ? ANY_NUMBER : undefined;
  if (size >= 1e21 || (size !== 0 && size < 1e-6)) return undefined;
  return intersect(ANY_NUMBER, compared(comparison, decimalOf(bound)));
}

/** Texts of so many numbers are put into one pattern: one for each, united, would take longer. */
const NUMBERS_AT_ONCE = 200;

/** Exactly these numbers. */
export function numbersEqualTo(values: readonly number[]): Automaton {
  if (values.length > NUMBERS_AT_ONCE) {
    const middle = values.length >> 1;
    return unite(numbersEqualTo(values.slice(0, middle)), numbersEqualTo(values.slice(middle)));
  }
  return intersect(ANY_NUMBER, wholeStrings(values.map(textsOf).join('|')));
}

/** A pattern of the number's texts. */
function textsOf(value: number): string {
  const [mantissa, exponent] = JSON.stringify(value === 0 ? 0 : value).split(/e\+?/);
  const zeros = mantissa!.includes('.') ? '0*' : '(?:\\.0+)?';
  const tail = exponent === undefined ? '' : `e${exponent.startsWith('-') ? '' : '\\+?'}${exponent}`;
  return mantissa!.replace('.', '\\.') + zeros + tail;
}

/** Each remainder is a state, with ten ways on. */
const MAX_UNITS = 4000n;

/** Throws `LimitReached` for a divisor whose remainders are too many. */
export function multiplesOf(divisor: number): Multiples {
  const { integer, fraction } = decimalOf(divisor);
  const decimals = fraction.length;
  const units = BigInt(integer + fraction);
  if (units > MAX_UNITS)
    throw new LimitReached(`multiples of more than ${MAX_UNITS} units are not supported`);
  const members = intersect(ANY_NUMBER, remainders(Number(units), decimals));
  // A double of 21 digits or more is written with 17 of them: what follows are zeros, five at the least.
  const dividesHuge = 10n ** BigInt(decimals + 5) % units === 0n;
  const dividesNoTiny = decimals <= 6;
  return {
    members: dividesHuge ? unite(members, HUGE) : members,
    undecided: unite(dividesHuge ? NO_STRING : HUGE, dividesNoTiny ? NO_STRING : TINY),
  };
}

/** Of the decimals that the doubles are written as. */
export function isMultiple(value: number, divisor: number): boolean {
  const a = decimalOf(value);
  const b = decimalOf(divisor);
  const places = Math.max(a.fraction.length, b.fraction.length);
  const units = ({ integer, fraction }: Decimal) => BigInt(integer + fraction.padEnd(places, '0'));
  return units(a) % units(b) === 0n;
}

/** Of the shortest text that means the double. */
function decimalOf(value: number): Decimal {
  const [mantissa, exponent = '0'] = String(Math.abs(value)).split('e');
  const [whole, part = ''] = mantissa!.split('.');
  const shift = Number(exponent);
  const digits = whole! + part;
  const point = whole!.length + shift;
  const integer = digits.slice(0, Math.max(point, 0)).padEnd(Math.max(point, 0), '0');
  const fraction = point < 0 ? '0'.repeat(-point) + digits : digits.slice(point);
  return {
    negative: value < 0,
    integer: integer.replace(/^0+(?=.)/, '') || '0',
    fraction: fraction.replace(/0+$/, ''),
  };
}

export const INTEGERS = multiplesOf(1).members;

type Order = '<' | '=' | '>';

function compared(comparison: Comparison, bound: Decimal): Automaton {
  const holds = (order: Order) => order === comparison[0] || (order === '=' && comparison.endsWith('='));
  const opposite: Record<Order, Order> = { '<': '>', '=': '=', '>': '<' };
  return automatonOf({
    start: '',
    alphabet: `${DIGITS}-.e+`,
    step(state, character) {
      if (state === '' && character === '-') return '-';
      const sign = state.startsWith('-') ? '-' : '+';
      const size = sizeStep(state === '' || state === '-' ? 'int 0 =' : state.slice(1), character, bound);
      return size === undefined ? undefined : sign + size;
    },
    accepts(state) {
      if (state === '' || state === '-') return false;
      const size = sizeOrder(state.slice(1), bound);
      if (size === undefined) return false;
      const negative = state.startsWith('-');
      if (negative && bound.negative) return holds(opposite[size]);
      if (negative) return holds('<');
      return holds(bound.negative ? '>' : size);
    },
  });
}

/**
 * Comparing sizes digit by digit. States: `int COUNT ORDER` within the integer part (as many digits so far, compared with as many of
 * the bound's), `part COUNT =` within an equal fraction, `so ORDER` when the rest does not matter, `exp ORDER` after an e.
 */
function sizeStep(state: string, character: string, { integer, fraction }: Decimal): string | undefined {
  const [phase, first, order] = state.split(' ') as [string, string, string];
  const isZero = integer === '0' && fraction === '';
  if (phase === 'exp') return character === '-' && !isZero ? 'so <' : 'so >';
  if (character === 'e') return 'exp';
  if (phase === 'so') return state;
  const count = Number(first);
  if (phase === 'int') {
    if (character === '.') {
      const size = integerOrder(count, order as Order, integer);
      return size === '=' ? 'part 0 =' : `so ${size}`;
    }
    if (count >= integer.length) return `int ${integer.length + 1} >`;
    return `int ${count + 1} ${order === '=' ? orderOf(character, integer[count]!) : order}`;
  }
  const digit = orderOf(character, fraction[count] ?? '0');
  if (digit !== '=') return `so ${digit}`;
  return `part ${Math.min(count + 1, fraction.length)} =`;
}

function sizeOrder(state: string, { integer, fraction }: Decimal): Order | undefined {
  const [phase, first, order] = state.split(' ') as [string, string, Order];
  if (phase === 'exp') return undefined;
  if (phase === 'so') return first as Order;
  if (phase === 'part') return Number(first) < fraction.length ? '<' : '=';
  const size = integerOrder(Number(first), order, integer);
  return size === '=' && fraction !== '' ? '<' : size;
}

function integerOrder(count: number, order: Order, integer: string): Order {
  if (count !== integer.length) return count < integer.length ? '<' : '>';
  return order;
}

function orderOf(a: string, b: string): Order {
  return a < b ? '<' : a > b ? '>' : '=';
}

/** Plain texts whose value times `10^decimals` is a multiple of `units`. States: `REMAINDER DECIMALS`, the latter -1 before the point. */
function remainders(units: number, decimals: number): Automaton {
  return automatonOf({
    start: '',
    alphabet: `${DIGITS}-.`,
    step(state, character) {
      if (character === '-') return state === '' ? '0 -1' : undefined;
      const [remainder, places] = (state === '' ? '0 -1' : state).split(' ').map(Number) as [number, number];
      if (character === '.') return places === -1 ? `${remainder} 0` : undefined;
      if (places === decimals) return character === '0' ? state : undefined;
      const next = (remainder * 10 + Number(character)) % units;
      return `${next} ${places === -1 ? -1 : places + 1}`;
    },
    accepts(state) {
      if (state === '') return false;
      const [remainder, places] = state.split(' ').map(Number) as [number, number];
      let rest = remainder;
      for (let place = Math.max(places, 0); place < decimals; place += 1) rest = (rest * 10) % units;
      return rest === 0;
    },
  });
}
