/** GET and DELETE /v1/status: tasks of recordings, one, many, or one as it changes. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { AppError } from '../base/errors.ts';
import type { IntelligenceService } from '../intelligence/service.ts';
import { reportStatus, STATUSES, statusOf, summariseStatus } from '../intelligence/status-report.ts';
import { hasEnded, type TaskState } from '../jobs/task.ts';
import { createEventStream } from './event-stream.ts';
import { reportError } from './reply-error.ts';
import { requestSignal } from './request-signal.ts';
import type { Services } from './services.ts';

interface ById {
  readonly Params: { readonly id: string };
}

export function registerStatus(app: FastifyInstance, { intelligence }: Services): void {
  if (intelligence === undefined) return;
  app.get('/v1/status', { config: { summary: 'List the tasks, newest first' } }, async (request) =>
    list(request, intelligence),
  );
  app.get<ById>('/v1/status/:id', { config: { summary: 'A task and its result' } }, async ({ params }) =>
    reportStatus(await intelligence.task(params.id)),
  );
  app.delete<ById>('/v1/status/:id', { config: { summary: 'Cancel a task' } }, async ({ params }, reply) => {
    const task = await intelligence.cancel(params.id);
    // One that runs has ended only when its model has stopped.
    return reply.status(hasEnded(task) ? 200 : 202).send(reportStatus(task));
  });
  app.post<ById>(
    '/v1/status/:id/retry',
    { config: { summary: 'Run a failed task again' } },
    async ({ params }) => reportStatus(await intelligence.retry(params.id)),
  );
  app.get<ById>(
    '/v1/status/:id/events',
    { config: { summary: 'A task whenever it changes, as server-sent events' } },
    (request, reply) => stream(request, reply, intelligence),
  );
}

const listQuery = z.strictObject({
  status: z.enum(STATUSES, { error: `expected one of ${STATUSES.join(', ')}` }).optional(),
  limit: z.coerce.number().int().min(1).max(100).default(20),
  cursor: z.string().min(1).max(500).optional(),
});

/** Those of a running task are told apart by its stage, which the queue does not search by. */
const STATES: Readonly<Record<(typeof STATUSES)[number], TaskState>> = {
  PENDING: 'waiting',
  PREPROCESSING: 'running',
  PROCESSING_ASR: 'running',
  PROCESSING_LLM: 'running',
  COMPLETE: 'complete',
  FAILED: 'failed',
  CANCELLED: 'cancelled',
};

async function list(request: FastifyRequest, intelligence: IntelligenceService) {
  const parsed = listQuery.safeParse(request.query);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const param = String(issue!.path[0] ?? 'query');
    throw new AppError('invalid_request', `The parameter "${param}" is not valid: ${issue!.message}.`, {
      param,
    });
  }
  const { status, limit, cursor } = parsed.data;
  const states = status === undefined ? undefined : [STATES[status]];
  const page = await intelligence.list({ states, limit, cursor });
  const tasks = page.tasks.filter((task) => status === undefined || statusOf(task) === status);
  return { tasks: tasks.map(summariseStatus), next_cursor: page.cursor ?? null };
}

/** Each event is the status without its results, which may be megabytes: they are asked for once the task has ended. */
async function stream(
  request: FastifyRequest<ById>,
  reply: FastifyReply,
  intelligence: IntelligenceService,
): Promise<FastifyReply> {
  const signal = requestSignal(request, reply);
  const { id } = request.params;
  const events = createEventStream(reply);
  try {
    for await (const task of intelligence.watch(id, signal)) events.send(summariseStatus(task), 'status');
  } catch (error) {
    if (!events.isOpen) throw error;
    events.send(reportError(error, request).body, 'error');
  } finally {
    events.close();
  }
  return reply;
}
