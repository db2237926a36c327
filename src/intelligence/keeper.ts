/**
 * Keeps recordings and tasks together: a recording whose task the queue has forgotten is submitted again, one whose task is gone after its
 * retention is removed. Every process that serves or works does so; all of it may be done twice at once.
 */
import { sleep } from '../base/abort.ts';
import { AppError, toAppError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { Queue } from '../jobs/queue.ts';
import { hasEnded, type NewTask } from '../jobs/task.ts';
import type { Recordings, StoredRecording } from './recordings/recordings.ts';

export interface KeeperParts {
  readonly queue: Queue;
  readonly recordings: Recordings;
  readonly retentionMs: number;
  readonly everyMs: number;
  readonly logger: Logger;
  now(): Date;
}

export interface Keeper {
  /** One round now; for the start of a process, and tests. */
  round(): Promise<void>;
  stop(): Promise<void>;
}

/** A younger recording may be one that its server is about to submit. */
const SETTLED_MS = 30_000;

export function startKeeper(parts: KeeperParts): Keeper {
  const stopping = new AbortController();
  const running = (async () => {
    while (!stopping.signal.aborted) {
      await round(parts, stopping.signal).catch((error: unknown) => {
        if (stopping.signal.aborted) return;
        const { code } = toAppError(error);
        parts.logger.warn({ code, err: error }, 'recordings could not be looked after; tried again later');
      });
      await sleep(parts.everyMs, stopping.signal).catch(() => undefined);
    }
  })();
  return {
    round: () => round(parts, stopping.signal),
    async stop() {
      stopping.abort();
      await running;
    },
  };
}

async function round(parts: KeeperParts, signal: AbortSignal): Promise<void> {
  const { queue, recordings } = parts;
  for (const id of await queue.sweep()) await recordings.remove(id);
  for await (const recording of recordings.list()) {
    if (signal.aborted) return;
    await look(recording, parts);
  }
  await recordings.sweep();
}

async function look(recording: StoredRecording, parts: KeeperParts): Promise<void> {
  const { queue, recordings, retentionMs, logger, now } = parts;
  const { id, keptAt, endedAt } = recording;
  const task = await queue.look(id);
  if (task !== undefined) {
    if (task.state !== 'running') await recordings.removeWork(id);
    if (hasEnded(task) && endedAt === undefined) await recordings.markEnded(id);
    if (!hasEnded(task) && endedAt !== undefined) await recordings.unmarkEnded(id);
    return;
  }
  const ageMs = now().getTime() - keptAt.getTime();
  if (ageMs < SETTLED_MS) return;
  if (endedAt !== undefined && now().getTime() - endedAt.getTime() >= retentionMs) {
    await recordings.remove(id);
    return;
  }
  const forgotten = await recording.task();
  if (forgotten === undefined) {
    // Nobody can say what was asked of it; it stays as long as any other, should a person look for it.
    if (ageMs >= retentionMs) await recordings.remove(id);
    return;
  }
  try {
    await submitAgain(forgotten, queue);
    logger.warn({ task: id }, 'the queue had forgotten a task; submitted again');
  } catch (error) {
    // It is tried again in the next round.
    if (!(error instanceof AppError && error.code === 'queue_full')) throw error;
  }
}

/**
 * Under its own id, whatever has become of its idempotency key since: a client that was told of this task asks for it, even if it, or somebody else,
 * has used the key again and was told of another.
 */
async function submitAgain(forgotten: NewTask, queue: Queue): Promise<void> {
  const isKeyTaken = await queue.submit(forgotten).then(
    ({ task }) => task.id !== forgotten.id,
    (error: unknown) => {
      if (error instanceof AppError && error.code === 'idempotency_conflict') return true;
      throw error;
    },
  );
  if (isKeyTaken) await queue.submit({ ...forgotten, idempotency: undefined });
}
