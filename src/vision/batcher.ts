/** Requests that wait at the same time share calls: whatever has gathered while one batch ran is the next. */
import { abortError } from '../base/abort.ts';

export interface BatcherOptions<Item, Result> {
  readonly mostItems: number;
  /** Results in the order of the items. */
  run(items: readonly Item[]): Promise<readonly Result[]>;
}

export interface Batcher<Item, Result> {
  /** Throws what the call threw, or the signal's error: an item whose asker has gone is not run. */
  add(item: Item, signal: AbortSignal): Promise<Result>;
}

interface Waiting<Item, Result> {
  readonly item: Item;
  resolve(result: Result): void;
  reject(error: unknown): void;
}

export function createBatcher<Item, Result>(options: BatcherOptions<Item, Result>): Batcher<Item, Result> {
  const { mostItems, run } = options;
  const waiting: Waiting<Item, Result>[] = [];
  let isRunning = false;

  async function runAll(): Promise<void> {
    while (waiting.length > 0) {
      const batch = waiting.splice(0, mostItems);
      try {
        const results = await run(batch.map(({ item }) => item));
        for (const [index, { resolve }] of batch.entries()) resolve(results[index]!);
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    isRunning = false;
  }

  return {
    add: (item, signal) =>
      new Promise((resolve, reject) => {
        const onAbort = () => {
          const place = waiting.indexOf(entry);
          if (place >= 0) waiting.splice(place, 1);
          reject(abortError(signal));
        };
        const settled = () => signal.removeEventListener('abort', onAbort);
        const entry: Waiting<Item, Result> = {
          item,
          resolve(result) {
            settled();
            resolve(result);
          },
          reject(error) {
            settled();
            reject(error);
          },
        };
        if (signal.aborted) return onAbort();
        signal.addEventListener('abort', onAbort, { once: true });
        waiting.push(entry);
        // Items that are added together run together.
        if (!isRunning) {
          isRunning = true;
          queueMicrotask(() => void runAll());
        }
      }),
  };
}
