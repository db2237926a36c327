/** What one side pushes and the other iterates over, in order. Nothing bounds it: that is the pushing side's task. */
export interface Channel<T> extends AsyncIterable<T> {
  /** Does nothing once the channel has ended. */
  push(item: T): void;
  /** The iteration ends behind what was pushed. */
  end(): void;
  /** The iteration throws at once; what was not read is dropped. */
  fail(error: unknown): void;
}

/** For one reader. A reader that stops early ends the channel. */
export function createChannel<T>(): Channel<T> {
  let items: T[] = [];
  let isEnded = false;
  let failure: { readonly error: unknown } | undefined;
  /** Wakes the reader; defined only while it waits, and then nothing is there to read. */
  let wake: (() => void) | undefined;

  const change = (apply: () => void) => {
    if (isEnded) return;
    apply();
    wake?.();
    wake = undefined;
  };
  const iterator: AsyncIterator<T> = {
    async next() {
      while (items.length === 0 && !isEnded) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      if (items.length > 0) return { value: items.shift()!, done: false };
      if (failure !== undefined) throw failure.error;
      return { value: undefined, done: true };
    },
    async return() {
      stop();
      return { value: undefined, done: true };
    },
  };
  const stop = () =>
    change(() => {
      items = [];
      isEnded = true;
    });
  return {
    push: (item) => change(() => items.push(item)),
    end: () =>
      change(() => {
        isEnded = true;
      }),
    fail: (error) =>
      change(() => {
        failure = { error };
        items = [];
        isEnded = true;
      }),
    [Symbol.asyncIterator]: () => iterator,
  };
}
