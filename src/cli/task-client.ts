/** How a command submits recordings and follows them: through the queue itself, or a running server. */

import type { ProcessRequest } from '../intelligence/service.ts';
import type { StatusReport, StatusSummary } from '../intelligence/status-report.ts';

export interface TaskClient {
  /** Gives the task's id. The file stays where it is. */
  submit(path: string, request: ProcessRequest, signal: AbortSignal): Promise<string>;
  /** The task whenever it has changed, until it has ended. */
  watch(id: string, signal: AbortSignal): AsyncIterable<StatusSummary>;
  status(id: string, signal: AbortSignal): Promise<StatusReport>;
  close(): Promise<void>;
}
