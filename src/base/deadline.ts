import { abortError } from './abort.ts';
import type { AppError } from './errors.ts';

export interface Deadline {
  /** Fires with the caller's own signal, or with `error` once the time is over. */
  readonly signal: AbortSignal;
  /** To be called when the wait is over, whatever its end. */
  dispose(): void;
}

/** A limit of time on top of a signal. */
export function deadline(timeoutMs: number, error: () => AppError, signal?: AbortSignal): Deadline {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(error()), timeoutMs);
  const onAbort = () => controller.abort(abortError(signal!));
  if (signal?.aborted) onAbort();
  else signal?.addEventListener('abort', onAbort, { once: true });
  return {
    signal: controller.signal,
    dispose() {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    },
  };
}

/** The promise's outcome, or the signal's error as soon as it fires; the work behind the promise goes on. */
export function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(abortError(signal));
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
