/** The two times of a queue, given to it so that a test can turn them. */
export interface Clock {
  /** Milliseconds since 1970, which may jump either way: for people, for delays with a bound, and for how long an ended task is kept. */
  now(): number;
  /** Milliseconds that never go back; waits are measured by it. */
  elapsed(): number;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  elapsed: () => performance.now(),
};
