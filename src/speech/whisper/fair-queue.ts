/** Work of several owners in line for one resource that takes several pieces at once. */

export interface Queued {
  /** Whose it is: owners take turns, not pieces. */
  readonly owner: object;
  /** How much of the resource it takes, in any one unit. */
  readonly cost: number;
}

export interface FairQueue<T extends Queued> {
  readonly length: number;
  add(item: T): void;
  /** Takes the piece whose turn it is and, up to `limit` in all, those that may go with it. */
  take(mayJoin: (item: T, first: T) => boolean, limit: (first: T) => number): T[];
}

/** What an owner has had: in virtual time, which those who are waiting share, and in all. */
interface Account {
  start: number;
  total: number;
}

/**
 * Fair queueing by virtual time (Demers, Keshav, Shenker 1989): the owner who has been given least comes first, and one who arrives
 * begins with as much as those who are waiting have had on average. So a short recording waits for the batch under way and not for
 * a long recording, and a stream of short ones cannot hold up a long one for ever.
 */
export function createFairQueue<T extends Queued>(): FairQueue<T> {
  const waiting: T[] = [];
  const accounts = new WeakMap<object, Account>();
  let clock = 0;

  const accountOf = ({ owner }: T) => accounts.get(owner)!;

  function isEarlier(one: T, other: T): boolean {
    const [a, b] = [accountOf(one), accountOf(other)];
    return a.start < b.start || (a.start === b.start && a.total < b.total);
  }

  function takeNext(isWanted: (item: T) => boolean): T | undefined {
    let best: T | undefined;
    for (const item of waiting) {
      if (isWanted(item) && (best === undefined || isEarlier(item, best))) best = item;
    }
    if (best === undefined) return undefined;
    const owners = new Set(waiting.map(({ owner }) => owner)).size;
    clock += best.cost / owners;
    waiting.splice(waiting.indexOf(best), 1);
    const account = accountOf(best);
    account.start += best.cost;
    account.total += best.cost;
    return best;
  }

  return {
    get length() {
      return waiting.length;
    },
    add(item) {
      const account = accounts.get(item.owner) ?? { start: clock, total: 0 };
      // One who was away does not come back with a claim on what others have had meanwhile.
      if (!waiting.some(({ owner }) => owner === item.owner)) account.start = Math.max(clock, account.start);
      accounts.set(item.owner, account);
      waiting.push(item);
    },
    take(mayJoin, limit) {
      const first = takeNext(() => true);
      if (first === undefined) return [];
      const taken = [first];
      const most = limit(first);
      while (taken.length < most) {
        const next = takeNext((item) => mayJoin(item, first));
        if (next === undefined) break;
        taken.push(next);
      }
      return taken;
    },
  };
}
