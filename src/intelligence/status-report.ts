/** A task as clients see it: the answer of GET /v1/status/{id}, the events of its stream, the body of its webhook. */
import type { Json, Task, TaskSummary } from '../jobs/task.ts';

export const STATUSES = [
  'PENDING',
  'PREPROCESSING',
  'PROCESSING_ASR',
  'PROCESSING_LLM',
  'COMPLETE',
  'FAILED',
  'CANCELLED',
] as const;
export type Status = (typeof STATUSES)[number];

/** In the spelling of the contract. */
export interface StatusReport {
  readonly task_id: string;
  readonly status: Status;
  readonly submitted_at: string;
  readonly started_at: string | null;
  readonly completed_at: string | null;
  readonly stage: string | null;
  /** Of the stage, 0 to 1. */
  readonly progress: number;
  readonly attempt: number;
  readonly priority: string;
  readonly retry_at: string | null;
  readonly file_name: Json;
  readonly features: Json;
  readonly template_id: Json;
  readonly versions: Json;
  readonly metrics: Json;
  readonly results: Json;
  /** Why it failed; while it waits for another attempt, why the last one did. */
  readonly error: string | null;
  readonly error_code: string | null;
}

export function reportStatus(task: Task): StatusReport {
  const input = objectOf(task.input);
  const output = objectOf(task.output);
  return {
    task_id: task.id,
    status: statusOf(task),
    submitted_at: task.submittedAt,
    started_at: task.startedAt ?? null,
    completed_at: task.endedAt ?? null,
    stage: task.stage ?? null,
    progress: task.state === 'complete' ? 1 : task.progress,
    attempt: task.attempt,
    priority: task.priority,
    retry_at: task.retryAt ?? null,
    file_name: input['fileName'] ?? null,
    features: input['features'] ?? null,
    template_id: input['templateId'] ?? null,
    versions: output['versions'] ?? null,
    metrics: output['metrics'] ?? null,
    results: output['results'] ?? null,
    error: task.error?.message ?? null,
    error_code: task.error?.code ?? null,
  };
}

export type StatusSummary = Omit<StatusReport, 'results' | 'versions' | 'metrics'>;

/** Without what may be megabytes. */
export function summariseStatus(task: TaskSummary): StatusSummary {
  const { results: _, versions: __, metrics: ___, ...summary } = reportStatus({ ...task, output: undefined });
  return summary;
}

export function statusOf({ state, stage }: Pick<Task, 'state' | 'stage'>): Status {
  switch (state) {
    case 'waiting':
      return 'PENDING';
    case 'running':
      return STATUSES.find((status) => status === stage) ?? 'PREPROCESSING';
    case 'complete':
      return 'COMPLETE';
    case 'failed':
      return 'FAILED';
    case 'cancelled':
      return 'CANCELLED';
    default:
      return state satisfies never;
  }
}

function objectOf(value: Json | undefined): { readonly [key: string]: Json } {
  return value !== null && typeof value === 'object' && !Array.isArray(value)
    ? (value as { readonly [key: string]: Json })
    : {};
}
