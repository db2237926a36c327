/** Work that must not overlap, in the order in which it was asked for. */
import { abortable } from '../../base/deadline.ts';

export interface Turns {
  /** Does the work when all before it has ended. Rejects at once when the signal fires before, and then the work is not begun. */
  take<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T>;
}

export function createTurns(): Turns {
  /** Resolves when all that was asked for so far has ended. */
  let last: Promise<unknown> = Promise.resolve();
  return {
    take(signal, work) {
      const before = last;
      const mine = abortable(before, signal).then(work);
      // What gave up still ends no sooner than what is before it.
      last = Promise.allSettled([before, mine]).then(() => {});
      return mine;
    },
  };
}
