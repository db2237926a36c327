import { abortError } from '../base/abort.ts';

/** Lets some through at a time, first come, first served. */
export class Turnstile {
  readonly #places: number;
  /** At most `#places`. */
  #taken = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(places = 1) {
    this.#places = places;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** Resolves, when it is the caller's turn, to the function that ends it. Rejects when the signal fires first. */
  enter(signal: AbortSignal): Promise<() => void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(abortError(signal));
      const onAbort = () => {
        this.#waiting.splice(this.#waiting.indexOf(onTurn), 1);
        reject(abortError(signal));
      };
      const onTurn = () => {
        signal.removeEventListener('abort', onAbort);
        resolve(this.#take());
      };
      if (this.#taken < this.#places) return onTurn();
      this.#waiting.push(onTurn);
      signal.addEventListener('abort', onAbort, { once: true });
    });
  }

  /** As `enter` where there is a place, else nothing. */
  enterNow(): (() => void) | undefined {
    return this.#taken < this.#places ? this.#take() : undefined;
  }

  #take(): () => void {
    this.#taken += 1;
    return () => this.#next();
  }

  #next(): void {
    this.#taken -= 1;
    this.#waiting.shift()?.();
  }
}
