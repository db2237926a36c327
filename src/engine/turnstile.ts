import { abortError } from '../base/abort.ts';

/** Lets one through at a time, first come, first served. */
export class Turnstile {
  #taken = false;
  readonly #waiting: (() => void)[] = [];

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
        this.#taken = true;
        resolve(() => this.#next());
      };
      if (!this.#taken) return onTurn();
      this.#waiting.push(onTurn);
      signal.addEventListener('abort', onAbort, { once: true });
    });
  }

  #next(): void {
    this.#taken = false;
    this.#waiting.shift()?.();
  }
}
