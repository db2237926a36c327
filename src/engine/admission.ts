import { AppError } from '../base/errors.ts';

/** A place in the queue, from before the upload is read until the answer is sent. */
export interface Admission {
  /** May be called more than once; must be called on every path. */
  release(): void;
}

/** Enough to follow a change of load, few enough to forget yesterday's. */
const REMEMBERED_REQUESTS = 20;
const MAX_RETRY_SECONDS = 60;

/** Bounds the requests that are inside at one time. */
export class AdmissionGate {
  /** Admitted and not yet released; never above `#depth`. */
  #admitted = 0;
  /** Seconds that the last requests took, waiting included. */
  readonly #durations: number[] = [];
  readonly #depth: number;
  readonly #now: () => number;

  /** `depth`: how many requests may be inside. `now`: a clock in milliseconds. */
  constructor(depth: number, now: () => number = () => performance.now()) {
    this.#depth = depth;
    this.#now = now;
  }

  get admitted(): number {
    return this.#admitted;
  }

  /** Throws `queue_full`, with the time after which a place is likely to be free. */
  admit(): Admission {
    if (this.#admitted >= this.#depth) throw this.#full();
    this.#admitted += 1;
    const begunMs = this.#now();
    let released = false;
    return {
      release: () => {
        if (released) return;
        released = true;
        this.#admitted -= 1;
        this.#durations.push((this.#now() - begunMs) / 1000);
        if (this.#durations.length > REMEMBERED_REQUESTS) this.#durations.shift();
      },
    };
  }

  #full(): AppError {
    return new AppError(
      'queue_full',
      `The server is working on ${this.#admitted} requests, which is all it takes at once. Try again later.`,
      { retryAfterSeconds: this.#retryAfterSeconds() },
    );
  }

  /** Places come free one after another: a request's whole time, shared by all that are inside. */
  #retryAfterSeconds(): number {
    const total = this.#durations.reduce((sum, seconds) => sum + seconds, 0);
    const mean = total / Math.max(1, this.#durations.length);
    return Math.min(MAX_RETRY_SECONDS, Math.max(1, Math.ceil(mean / Math.max(1, this.#admitted))));
  }
}
