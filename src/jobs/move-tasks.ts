/** Brings all tasks of one queue into another, such as from SQLite to Redis when a second machine comes. */
import { LANES } from './lanes.ts';
import type { Queue } from './queue.ts';
import type { TaskSummary } from './task.ts';

export interface Moved {
  readonly moved: number;
  /** Were there already. */
  readonly known: number;
  /** Their workers hold them: to be stopped first. */
  readonly running: number;
}

const PAGE = 100;

/**
 * Ended tasks with their history and what is left of their time, waiting ones in their order. The first queue keeps its own, so that nothing is lost
 * if this is interrupted: to move again takes what is missing. No worker should run on either; a task that runs is left where it is.
 */
export async function moveTasks(from: Queue, to: Queue, lanes: readonly string[] = LANES): Promise<Moved> {
  const count = { moved: 0, known: 0, running: 0 };
  for (const lane of lanes) {
    const tasks: TaskSummary[] = [];
    let cursor: string | undefined;
    do {
      const page = await from.list({ lane, limit: PAGE, cursor });
      tasks.push(...page.tasks);
      cursor = page.cursor;
    } while (cursor !== undefined);
    // Lists are newest first, and the order of those that wait is that of their coming.
    for (const { id, state } of tasks.reverse()) {
      const snapshot = state === 'running' ? undefined : await from.snapshot(id);
      if (state === 'running') count.running += 1;
      else if (snapshot === undefined) continue;
      else if (await to.restore(snapshot)) count.moved += 1;
      else count.known += 1;
    }
  }
  return count;
}
