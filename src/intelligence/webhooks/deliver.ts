/** Webhooks are tasks of a lane of their own: submitted in the moment in which a recording's task ends, so that none is lost and each has its tries. */
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { AppError } from '../../base/errors.ts';
import type { Work } from '../../jobs/attempt.ts';
import { WEBHOOKS } from '../../jobs/lanes.ts';
import type { FollowUps, Queue } from '../../jobs/queue.ts';
import { reportStatus } from '../status-report.ts';
import { type SendOptions, sendWebhook } from './send.ts';

const inputSchema = z.object({ taskId: z.string(), url: z.string() });

/** Nothing where none was asked for. */
export const webhookOf: FollowUps = ({ id, input }) => {
  const asked = z.object({ webhookUrl: z.string() }).safeParse(input);
  if (!asked.success) return [];
  const delivery = { taskId: id, url: asked.data.webhookUrl };
  return [{ id: randomUUID(), lane: WEBHOOKS, priority: 'normal', input: delivery }];
};

export interface DeliveryParts {
  readonly queue: Queue;
  readonly send: Omit<SendOptions, 'signal' | 'secret'> & { readonly secret: string | null };
}

/** The body is what GET /v1/status/{id} answers at the time. Throws as `sendWebhook` does, and `task_not_found` for a task that is gone by now. */
export function deliverWebhook({ queue, send }: DeliveryParts): Work {
  return async ({ id, input }, { signal }) => {
    const { taskId, url } = inputSchema.parse(input);
    const { secret } = send;
    if (secret === null)
      throw new AppError(
        'invalid_request',
        'tasks.webhook_secret is not set any more, so nothing can be signed.',
      );
    const task = await queue.get(taskId);
    if (task === undefined) throw new AppError('task_not_found', `The task ${taskId} is gone.`);
    await sendWebhook({ url, id, body: JSON.stringify(reportStatus(task)) }, { ...send, secret, signal });
    return null;
  };
}
