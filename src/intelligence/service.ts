/** Recordings that are processed in the background, for the HTTP routes and the command line. Made by `app.ts`. */

import type { TaskPage } from '../jobs/queue.ts';
import type { Priority, Task, TaskState, TaskSummary } from '../jobs/task.ts';
import type { TaskInput } from './task-input.ts';

export interface ProcessRequest extends Omit<TaskInput, 'fileName'> {
  readonly priority: Priority;
}

/** A file that was received whole; it is moved away when it is accepted. */
export interface ReceivedFile {
  readonly path: string;
  readonly fileName: string;
}

export interface TemplateInfo {
  readonly id: string;
  readonly name: string;
  readonly description: string;
}

export interface QueueHealth {
  readonly isConnected: boolean;
  /** Recordings that wait; 0 where the queue does not answer. */
  readonly waiting: number;
  readonly running: number;
  readonly maxWaiting: number;
  /** Whether a worker of recordings has given a sign of life within a minute. */
  readonly hasWorker: boolean;
}

export interface IntelligenceService {
  /** For uploads on their way. */
  incoming(): Promise<string>;
  /** Throws `queue_full` with the seconds to wait, unless the key is that of a task. */
  requireRoom(key: string | undefined): Promise<void>;
  /** Throws `unsupported_media_type` for a file that is told by its name or media type to be no recording, before it is read. */
  checkFile(file: { readonly fileName: string; readonly mediaType: string | undefined }): void;
  /** Throws `missing_template`, `invalid_template`, `model_not_found` and `invalid_request` for what cannot be done. */
  check(request: ProcessRequest): Promise<void>;
  /**
   * Takes a recording; it and its task are on the disk when this resolves. With a key that is known, the task that has it. Throws as `check` does,
   * and `unsupported_audio`, `queue_full`, `idempotency_conflict`, `queue_unavailable`, `disk_full`.
   */
  accept(file: ReceivedFile, request: ProcessRequest, key: string | undefined): Promise<Task>;
  /** Throws `task_not_found`. */
  task(id: string): Promise<Task>;
  /** The task whenever it has changed, until it has ended. Throws `task_not_found`, and at once when the signal fires. */
  watch(id: string, signal: AbortSignal): AsyncIterable<TaskSummary>;
  list(filter: TaskListFilter): Promise<TaskPage>;
  /** Throws `task_not_found` and, for one that has ended, `task_state`. */
  cancel(id: string): Promise<Task>;
  /** Throws `task_not_found`, `queue_full` and, for one that has not failed, `task_state`. */
  retry(id: string): Promise<Task>;
  templates(): Promise<readonly TemplateInfo[]>;
  /** Throws `missing_template`, `invalid_template`. */
  templateSchema(id: string): Promise<unknown>;
  health(): Promise<QueueHealth>;
}

export interface TaskListFilter {
  readonly states?: readonly TaskState[] | undefined;
  readonly limit: number;
  readonly cursor?: string | undefined;
}
