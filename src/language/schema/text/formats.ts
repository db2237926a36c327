/**
 * The formats of JSON Schema and OpenAPI as sets of strings. Each is a part of what ajv-formats takes, the part that is usually
 * written: no leap seconds, years of four digits, addresses of the web. So a format can be asked for, but not negated.
 */

import { wholeStrings } from './pattern.ts';
import type { Automaton } from './states.ts';

const LEAP_YEAR = '(?:[12][0-9](?:0[48]|[2468][048]|[13579][26])|(?:1[26]|2[048])00)';
const DATE =
  '(?:[12][0-9]{3}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)' +
  `|02-(?:0[1-9]|1[0-9]|2[0-8]))|${LEAP_YEAR}-02-29)`;
const TIME =
  '(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\\.[0-9]{1,6})?(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])';

const NUMBER = '[0-9]{1,6}';
const DURATION_DATE = `(?:${NUMBER}Y(?:${NUMBER}M(?:${NUMBER}D)?)?|${NUMBER}M(?:${NUMBER}D)?|${NUMBER}D)`;
const DURATION_TIME = `T(?:${NUMBER}H(?:${NUMBER}M(?:${NUMBER}S)?)?|${NUMBER}M(?:${NUMBER}S)?|${NUMBER}S)`;
const DURATION = `P(?:${NUMBER}W|${DURATION_DATE}(?:${DURATION_TIME})?|${DURATION_TIME})`;

const LABEL = '[A-Za-z0-9](?:[A-Za-z0-9-]{0,37}[A-Za-z0-9])?';
const HOSTNAME = `${LABEL}(?:\\.${LABEL}){0,5}`;
const OCTET = '(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])';
const IPV4 = `${OCTET}(?:\\.${OCTET}){3}`;
const GROUP = '[0-9A-Fa-f]{1,4}';
const IPV6 = `(?:${GROUP}:){7}${GROUP}|(?:${GROUP}:){1,7}:|::(?:${GROUP}(?::${GROUP}){0,6})?`;

const PATH_CHARACTER = "(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})";
const PATH = `(?:/${PATH_CHARACTER}*)`;
const AFTER_PATH = `(?:\\?(?:${PATH_CHARACTER}|[/?])*)?(?:#(?:${PATH_CHARACTER}|[/?])*)?`;
const URI = `(?:https?|ftp)://${HOSTNAME}(?::[1-9][0-9]{0,3})?${PATH}*${AFTER_PATH}`;

const WORD = "[A-Za-z0-9!#$%&'*+=?^_{|}~-]{1,20}";
const EMAIL = `${WORD}(?:\\.${WORD}){0,2}@(?:${LABEL}\\.){1,4}[A-Za-z]{2,24}`;
const UUID = '[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}';
const POINTER = '(?:/(?:[^~/]|~[01])*)*';
const BASE64 = '(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?';

const STRING_FORMATS: Readonly<Record<string, string>> = {
  date: DATE,
  time: TIME,
  'date-time': `${DATE}T${TIME}`,
  duration: DURATION,
  email: EMAIL,
  hostname: HOSTNAME,
  ipv4: IPV4,
  ipv6: IPV6,
  uri: URI,
  'uri-reference': `${URI}|${PATH}+${AFTER_PATH}`,
  uuid: UUID,
  'json-pointer': POINTER,
  'relative-json-pointer': `(?:0|[1-9][0-9]{0,5})(?:#|${POINTER})`,
  byte: BASE64,
  password: '[^]*',
  binary: '[^]*',
};

/** Formats of numbers; those that any number has are `number`. */
export const NUMBER_FORMATS: Readonly<Record<string, 'number' | 'integer' | 'int32'>> = {
  int32: 'int32',
  int64: 'integer',
  float: 'number',
  double: 'number',
};

/** Undefined for a format that is none of strings, or not known. */
export function formatStrings(name: string): Automaton | undefined {
  return Object.hasOwn(STRING_FORMATS, name) ? wholeStrings(STRING_FORMATS[name]!) : undefined;
}
