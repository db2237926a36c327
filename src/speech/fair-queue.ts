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
  /** Takes the piece whose turn it is and those that may go with what is taken, which is never empty when they are asked of. */
  take(mayJoin: (item: T, taken: readonly [T, ...T[]]) => boolean): T[];
}

export interface TurnRules<T> {
  /** A piece goes before those of later stages, so that owners come abreast and their pieces may go together ... */
  readonly stageOf: (item: T) => number;
  /** ... unless its owner has been given so much more than the one who has been given least, in units of cost. */
  readonly lead: number;
}

/** What an owner has had: in virtual time, which those who are waiting share, and in all. */
interface Account {
  start: number;
  total: number;
  /** The round in which it was given something last. */
  round: number;
}

/**
 * Fair queueing by virtual time (Demers, Keshav, Shenker 1989): the owner who has been given least comes first, and one who arrives
 * begins with as much as those who are waiting have had on average. So a short recording waits for the batch under way and not for
 * a long recording, and a stream of short ones cannot hold up a long one for ever. Without rules nobody has a lead.
 */
export function createFairQueue<T extends Queued>(
  { stageOf, lead }: TurnRules<T> = { stageOf: () => 0, lead: 0 },
): FairQueue<T> {
  const waiting: T[] = [];
  const accounts = new WeakMap<object, Account>();
  let clock = 0;
  let round = 0;

  const accountOf = ({ owner }: T) => accounts.get(owner)!;

  function isEarlier(one: T, other: T): boolean {
    const [a, b] = [accountOf(one), accountOf(other)];
    const places = [stageOf(one) - stageOf(other), a.start - b.start, a.total - b.total];
    return (places.find((difference) => difference !== 0) ?? 0) < 0;
  }

  function takeNext(owners: number, isWanted: (item: T) => boolean): T | undefined {
    const wanted = waiting.filter(isWanted);
    const least = Math.min(...wanted.map((item) => accountOf(item).start));
    let best: T | undefined;
    for (const item of wanted) {
      const isInTurn = accountOf(item).start <= least + lead;
      if (isInTurn && (best === undefined || isEarlier(item, best))) best = item;
    }
    if (best === undefined) return undefined;
    clock += best.cost / owners;
    waiting.splice(waiting.indexOf(best), 1);
    const account = accountOf(best);
    account.start += best.cost;
    account.total += best.cost;
    account.round = round;
    return best;
  }

  return {
    get length() {
      return waiting.length;
    },
    add(item) {
      const account = accounts.get(item.owner) ?? { start: clock, total: 0, round };
      // One who was away for a round does not come back with a claim on what others have had meanwhile.
      const isBack = account.round < round && !waiting.some(({ owner }) => owner === item.owner);
      if (isBack) account.start = Math.max(clock, account.start);
      accounts.set(item.owner, account);
      waiting.push(item);
    },
    take(mayJoin) {
      const owners = new Set(waiting.map(({ owner }) => owner)).size;
      round += 1;
      const first = takeNext(owners, () => true);
      if (first === undefined) return [];
      const taken: [T, ...T[]] = [first];
      for (;;) {
        const next = takeNext(owners, (item) => mayJoin(item, taken));
        if (next === undefined) return taken;
        taken.push(next);
      }
    },
  };
}
