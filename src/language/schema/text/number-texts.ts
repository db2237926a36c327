/**
 * Which texts a number may have. It has several (1.5 and 1.50): each set of numbers holds all texts of a number or none, so that
 * intersection and difference of texts are those of numbers.
 */
import { intersect, isEmpty, isFiniteSet, subtract, unite } from './automaton.ts';
import { wholeStrings } from './pattern.ts';
import type { Automaton } from './states.ts';

/** Without exponents only below 10^21, and with them only from there on or below 10^-6, as JSON.stringify writes; never -0. */
const MANTISSA = '-?[1-9](?:\\.[0-9]{1,16})?';
const NEGATIVE_ZERO = wholeStrings('-0(?:\\.0+)?');

export const HUGE = wholeStrings(
  `${MANTISSA}e\\+?(?:2[1-9]|[3-9][0-9]|[12][0-9]{2}|30[0-7])|-?1(?:\\.[0-6][0-9]{0,15})?e\\+?308`,
);
export const TINY = wholeStrings(
  `${MANTISSA}e-(?:[7-9]|[1-9][0-9]|[12][0-9]{2}|3[01][0-9]|32[0-3])|-?[5-9](?:\\.[0-9]{1,16})?e-324`,
);
const PLAIN = subtract(wholeStrings('-?(?:0|[1-9][0-9]*)(?:\\.[0-9]+)?'), NEGATIVE_ZERO);

export const ANY_NUMBER = unite(PLAIN, unite(HUGE, TINY));
const WITHOUT_POINT = wholeStrings('-?[0-9]+');
/** What JSON.stringify writes. */
const CANONICAL = wholeStrings('-?[0-9]+(?:\\.[0-9]*[1-9])?(?:e[+-].*)?');
const HUGE_OR_TINY = unite(HUGE, TINY);
/** As many digits as doubles have: 21 before the point, and behind it 17 after 5 zeros. */
const EVERY_DIGIT = wholeStrings('-?[0-9]{1,21}(?:\\.[0-9]{1,22})?');
/**
 * No more than 15 together: a double tells all of those apart, so that what is read is what was written. And a model may go on with
 * zeros or threes for as long as it is let.
 */
const USUAL_DIGITS = wholeStrings('-?(?:[0-9]{1,15}|[0-9]{1,12}\\.[0-9]{1,3}|[0-9]{1,5}\\.[0-9]{1,10})');

/** Counting digits multiplies the states of a set by the count; larger sets are left unbounded. */
const MAX_COUNTED_STATES = 400;

/** The texts to generate for a set of numbers; if `every`, all that JSON.stringify might write for one of them are among these. */
export function writtenNumbers(set: Automaton, integers: Automaton, every: boolean): Automaton {
  if (isEmpty(set)) return set;
  const isInteger = isEmpty(subtract(set, integers));
  if (every) return unite(withDigits(set, isInteger, EVERY_DIGIT), intersect(set, HUGE_OR_TINY));
  const canonical = canonicalNumbers(set);
  if (isFiniteSet(canonical)) return canonical;
  const usual = withDigits(set, isInteger, USUAL_DIGITS);
  if (isEmpty(usual)) return writtenNumbers(set, integers, true);
  // Multiples have no tiny ones, and of huge numbers other validators find multiples by chance.
  const hasTiny = !isEmpty(intersect(set, TINY));
  return hasTiny ? unite(usual, intersect(set, HUGE_OR_TINY)) : usual;
}

/** Integers are written without a point: not every reader takes 1.0 for one. */
function withDigits(set: Automaton, isInteger: boolean, digits: Automaton): Automaton {
  const plain = intersect(set, isInteger ? WITHOUT_POINT : PLAIN);
  return plain.accepting.length > MAX_COUNTED_STATES ? plain : intersect(plain, digits);
}

/** Each number once, in the text that JSON.stringify writes. */
export function canonicalNumbers(set: Automaton): Automaton {
  return intersect(set, CANONICAL);
}
