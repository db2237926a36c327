/** Writes what running work shows of itself, at most so often: progress comes with every second of audio, and each change is a write to the disk. */
import { toAppError } from '../base/errors.ts';
import type { Clock } from './clock.ts';
import type { Claim, TaskChange } from './queue.ts';

export interface Updates {
  /**
   * A stage or an output is written as soon as the change before is, and the promise waits for that; progress is written by and by, and not waited
   * for. Throws `result_too_large`; while the queue does not answer, the change is kept for later.
   */
  add(change: TaskChange): Promise<void>;
  /** Writes what is left. Throws what keeps it from being written, and keeps it then. */
  flush(): Promise<void>;
  /** Forgets what is left, and waits for what is being written. */
  drop(): Promise<void>;
}

const INTERVAL_MS = 500;

export function coalesceUpdates(claim: Claim, clock: Clock): Updates {
  /** What came since the last write began; undefined when nothing did. */
  let waiting: TaskChange | undefined;
  /** The write that goes on; one at a time, so that none overtakes another. */
  let writing: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let lastMs = Number.NEGATIVE_INFINITY;

  const write = async () => {
    while (writing !== undefined) await writing.catch(() => {});
    clearTimeout(timer);
    timer = undefined;
    if (waiting === undefined) return;
    const change = waiting;
    waiting = undefined;
    lastMs = clock.elapsed();
    writing = claim.update(change).catch((thrown: unknown) => {
      // What came meanwhile is newer.
      if (toAppError(thrown).code === 'queue_unavailable') waiting = merged(change, waiting);
      throw thrown;
    });
    try {
      await writing;
    } finally {
      writing = undefined;
    }
  };
  const writeLater = () => {
    timer ??= setTimeout(() => write().catch(() => {}), lastMs + INTERVAL_MS - clock.elapsed());
  };
  return {
    async add(change) {
      waiting = merged(waiting, change);
      if (change.stage === undefined && change.output === undefined) return writeLater();
      try {
        await write();
      } catch (thrown) {
        const { code } = toAppError(thrown);
        if (code === 'result_too_large') throw thrown;
        // A claim that is lost is noticed by its beat, which stops the work.
        if (waiting !== undefined) writeLater();
      }
    },
    flush: write,
    async drop() {
      clearTimeout(timer);
      waiting = undefined;
      await writing?.catch(() => {});
      clearTimeout(timer);
      waiting = undefined;
    },
  };
}

function merged(before: TaskChange | undefined, after: TaskChange | undefined): TaskChange {
  const isNewStage = after?.stage !== undefined && after.stage !== before?.stage;
  return { ...before, ...(isNewStage ? { progress: undefined } : {}), ...after };
}
