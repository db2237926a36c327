import { AppError } from '../base/errors.ts';

const MAX_CRASHES = 3;

/**
 * Remembers which models crashed while loading. A process that dies three times in a row would otherwise be started
 * again by every request, each reading gigabytes to no end.
 */
export class LoadCrashes {
  /** When each model crashed, in milliseconds of the clock; only within the window. */
  readonly #crashes = new Map<string, number[]>();
  readonly #windowMs: number;

  constructor(windowMs: number) {
    this.#windowMs = windowMs;
  }

  record(model: string): void {
    this.#crashes.set(model, [...this.#recent(model), performance.now()]);
  }

  forget(model: string): void {
    this.#crashes.delete(model);
  }

  /** Throws `model_failed` while the model is not to be tried again. */
  check(model: string): void {
    const recent = this.#recent(model);
    if (recent.length < MAX_CRASHES) return;
    const waitMs = recent.at(-MAX_CRASHES)! + this.#windowMs - performance.now();
    const retryAfterSeconds = Math.max(1, Math.ceil(waitMs / 1000));
    throw new AppError(
      'model_failed',
      `The process of ${model} crashed ${recent.length} times while loading within ${this.#windowMs / 1000} s; it is tried ` +
        `again in ${retryAfterSeconds} s. See the log for the reason: too little memory, or damaged weights ` +
        `(percept rm ${model}, then percept pull ${model}).`,
      { retryAfterSeconds },
    );
  }

  #recent(model: string): number[] {
    const since = performance.now() - this.#windowMs;
    return (this.#crashes.get(model) ?? []).filter((atMs) => atMs > since);
  }
}
