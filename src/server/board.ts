/** Bull Board: what BullMQ holds, for a person's browser. Only to look at: our own records decide, and what is done to BullMQ's jobs would not reach them. */
import { createBullBoard } from '@bull-board/api';
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import { FastifyAdapter } from '@bull-board/fastify';
import type { FastifyInstance } from 'fastify';
import { AppError } from '../base/errors.ts';
import { BOARD_PATH } from './auth.ts';
import { ERROR_STATUS } from './error-status.ts';
import type { Services } from './services.ts';

export async function registerBoard(app: FastifyInstance, { boardQueues }: Services): Promise<void> {
  if (boardQueues === undefined) return;
  const serverAdapter = new ReadOnlyAdapter();
  serverAdapter.setBasePath(BOARD_PATH);
  createBullBoard({
    queues: boardQueues.map((queue) => new BullMQAdapter(queue, { readOnlyMode: true })),
    serverAdapter,
    options: { uiConfig: { boardTitle: 'Percept' } },
  });
  serverAdapter.setErrorHandler(answerOf);
  await app.register(serverAdapter.registerPlugin(), { prefix: BOARD_PATH });
}

/** Hiding the buttons is not enough: a browser sends the key with requests of other pages, too. */
class ReadOnlyAdapter extends FastifyAdapter {
  override setApiRoutes(routes: Parameters<FastifyAdapter['setApiRoutes']>[0]): this {
    super.setApiRoutes(routes.filter(({ method }) => [method].flat().every((name) => name === 'get')));
    return this;
  }
}

/** The board's routes have an error handler of their own, which is to answer as ours does. */
function answerOf(error: Error): ReturnType<Parameters<FastifyAdapter['setErrorHandler']>[0]> {
  const { code, message } =
    error instanceof AppError
      ? error
      : { code: 'internal' as const, message: 'The board failed. See that Redis answers.' };
  const { status, type } = ERROR_STATUS[code];
  // Its type lists the statuses that it uses itself; it passes any on.
  return { status: status as 500, body: { error: { message, type, param: null, code } } };
}
