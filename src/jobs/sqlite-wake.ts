/** Tells whoever waits for a task that the file has changed, whichever process wrote it. */
import { type FSWatcher, watch } from 'node:fs';
import { abortError } from '../base/abort.ts';

/** Where the system tells of changes, only delayed retries wait for this; elsewhere every task of another process does. */
const POLL_MS = 100;
/** The system tells of a write before it is on the disk and can be seen: look often for as long as that may take. */
const EXPECTING_MS = 50;
const EXPECTING_POLL_MS = 2;

export class SqliteWake {
  readonly #waiting = new Set<() => void>();
  #count = 0;
  #watcher: FSWatcher | undefined;
  /** Until when, on the clock of the process, a write that was told of may come to be seen. */
  #expectingUntilMs = 0;

  /** Counts what was told. To be read before looking, so that nothing is missed between the look and the wait. */
  get count(): number {
    return this.#count;
  }

  /** Resolves when it is worth looking again: when more was told than `count`, after `longestMs` at the latest. Rejects when the signal fires. */
  wait(
    longestMs: number,
    { count, signal }: { readonly count: number; readonly signal: AbortSignal },
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(abortError(signal));
      if (count !== this.#count) return resolve();
      const pollMs = performance.now() < this.#expectingUntilMs ? EXPECTING_POLL_MS : POLL_MS;
      const end = () => {
        clearTimeout(timer);
        this.#waiting.delete(end);
        signal.removeEventListener('abort', onAbort);
        resolve();
      };
      const onAbort = () => {
        end();
        reject(abortError(signal));
      };
      const timer = setTimeout(end, Math.min(longestMs, pollMs));
      this.#waiting.add(end);
      signal.addEventListener('abort', onAbort, { once: true });
    });
  }

  /** This process has written. */
  wake(): void {
    this.#count += 1;
    for (const end of [...this.#waiting]) end();
  }

  /** `path`: the log that every write goes to first. It must be there; does nothing when it is watched already. */
  watch(path: string): void {
    if (this.#watcher !== undefined) return;
    try {
      this.#watcher = watch(path, { persistent: false }, () => {
        this.#expectingUntilMs = performance.now() + EXPECTING_MS;
        this.wake();
      });
      this.#watcher.on('error', () => this.close());
    } catch {
      // No file system tells of changes everywhere; the poll finds them.
    }
  }

  close(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
  }
}
