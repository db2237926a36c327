/** A first look at the text of a JSON body, without building any of it: what would cost memory or the stack is refused before it does. */
import { AppError } from '../base/errors.ts';

/** Deeper than any schema or conversation in use, and shallow enough for every function that walks it by recursion. */
const MAX_DEPTH = 512;
/** A conversation of thousands of messages has fewer. What is wrong with each value costs memory, too. */
const MAX_VALUES = 100_000;

/** Throws `invalid_request` for too much depth, too many values, and a name given twice in one object, which readers would take differently. */
export function scanJson(text: string): void {
  /** Open containers, outermost first: the names of an object so far, undefined for an array. */
  const open: (Set<string> | undefined)[] = [];
  let values = 1;
  for (let index = 0; index < text.length; index += 1) {
    switch (text.charCodeAt(index)) {
      case QUOTE: {
        const end = endOfString(text, index);
        if (isName(text, end)) addName(open.at(-1), text.slice(index, end + 1));
        index = end;
        break;
      }
      case OPEN_OBJECT:
      case OPEN_ARRAY:
        open.push(text.charCodeAt(index) === OPEN_OBJECT ? new Set() : undefined);
        values += 1;
        if (open.length > MAX_DEPTH) throw tooMuch(`nested deeper than ${MAX_DEPTH} levels`);
        break;
      case CLOSE_OBJECT:
      case CLOSE_ARRAY:
        open.pop();
        break;
      case COMMA:
        values += 1;
        if (values > MAX_VALUES) throw tooMuch(`of more than ${MAX_VALUES} values`);
    }
  }
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_ARRAY = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const SPACES: readonly number[] = [0x20, 0x09, 0x0a, 0x0d];

/** Where the closing quote stands; the end of the text where there is none. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    let first = end;
    while (text.charCodeAt(first - 1) === BACKSLASH) first -= 1;
    if ((end - first) % 2 === 0) return end;
  }
  return text.length;
}

function isName(text: string, end: number): boolean {
  let next = end + 1;
  while (SPACES.includes(text.charCodeAt(next))) next += 1;
  return text.charCodeAt(next) === COLON;
}

function addName(names: Set<string> | undefined, quoted: string): void {
  if (names === undefined) return;
  const name = quoted.includes('\\') ? unescaped(quoted) : quoted.slice(1, -1);
  if (names.has(name)) {
    const shown = name.slice(0, 100);
    throw new AppError('invalid_request', `The name "${shown}" is given twice in one JSON object.`, {
      param: shown,
    });
  }
  names.add(name);
}

/** A broken escape is for the parser to refuse. */
function unescaped(quoted: string): string {
  try {
    return JSON.parse(quoted) as string;
  } catch {
    return quoted;
  }
}

function tooMuch(what: string): AppError {
  return new AppError('invalid_request', `The JSON body is ${what}, which is more than is read here.`);
}
