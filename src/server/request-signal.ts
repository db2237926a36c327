import type { FastifyReply, FastifyRequest } from 'fastify';
import { AppError } from '../base/errors.ts';

/** Fires when the client goes away before its answer is sent; then whatever works for it stops. */
export function requestSignal(request: FastifyRequest, reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) {
      controller.abort(new AppError('cancelled', 'The client closed the connection.'));
    }
  });
  if (request.raw.destroyed && !request.raw.complete) controller.abort();
  return controller.signal;
}
