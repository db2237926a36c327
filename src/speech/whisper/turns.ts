export interface Turns {
  /** Whether work would begin at once. */
  readonly isFree: boolean;
  /** Runs `work` when all work before it has ended. */
  take<T>(work: () => Promise<T>): Promise<T>;
}

/** The model's threads are one resource: what shares these turns runs one after another. */
export function createTurns(): Turns {
  let last: Promise<unknown> = Promise.resolve();
  let count = 0;
  return {
    get isFree() {
      return count === 0;
    },
    take(work) {
      count += 1;
      const turn = last.then(work);
      last = turn
        .catch(() => undefined)
        .finally(() => {
          count -= 1;
        });
      return turn;
    },
  };
}
