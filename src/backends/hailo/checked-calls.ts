/** The library's calls, with every status but success thrown as an error that says what was being done. */
import type { ErrorCode } from '../../base/errors.ts';
import { WORD_BYTES } from './layouts.ts';
import type { Argument, HailoFunction, HailoLibrary, NativeFunctions } from './library.ts';
import { STATUS, statusError } from './status.ts';

export interface Calls<Name extends string> {
  /** For what answers at once. */
  now(name: Name, ...values: Argument[]): void;
  /** In a thread of Node's pool. */
  later(name: Name, ...values: Argument[]): Promise<void>;
  /** Throws for any status but success. */
  check(status: number): void;
}

export interface CheckedCalls extends Calls<HailoFunction> {
  readonly library: HailoLibrary;
}

/** `doing` begins the message of an error; `code` is the error's where the status does not say. */
export function checkedCalls(library: HailoLibrary, doing: string, code: ErrorCode): CheckedCalls {
  return { library, ...callsOf(library, doing, code) };
}

/** The same for any library that answers with the statuses of Hailo's. */
export function callsOf<Name extends string>(
  functions: NativeFunctions<Name>,
  doing: string,
  code: ErrorCode,
): Calls<Name> {
  const check = (status: number) => {
    if (status === STATUS.ok) return;
    throw statusError(status, { doing, code, libraryName: functions.statusName(status) });
  };
  return {
    check,
    now: (name, ...values) => check(functions.callNow(name, ...values)),
    later: async (name, ...values) => check(await functions.call(name, ...values)),
  };
}

/** A handle or a size in an array of them. */
export function wordAt(bytes: Buffer, index = 0): bigint {
  return bytes.readBigUInt64LE(index * WORD_BYTES);
}

export function wordOf(value: bigint | number): Buffer {
  const bytes = Buffer.alloc(WORD_BYTES);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

export interface Listed {
  readonly bytes: Buffer;
  readonly count: number;
}

const USUAL_LISTED = 32;
/** More of anything than a device or a HEF has. */
const MAX_LISTED = 1024;

/** What `fill` writes into an array; it is given the array and how many fit, and says how many there are. */
export function listWith(
  itemBytes: number,
  calls: CheckedCalls,
  fill: (items: Buffer, count: Buffer) => number,
): Listed {
  for (let room = USUAL_LISTED; ; ) {
    const bytes = Buffer.alloc(room * itemBytes);
    const count = wordOf(room);
    const status = fill(bytes, count);
    const listed = Number(wordAt(count));
    const isLarger = status === STATUS.insufficientBuffer && listed > room && listed <= MAX_LISTED;
    if (!isLarger) {
      calls.check(status);
      return { bytes, count: Math.min(listed, room) };
    }
    room = listed;
  }
}
