/** Bull Board: what BullMQ holds, for a person's browser. Only to look at: our own records decide, and what is done to BullMQ's jobs would not reach them. */
import { createBullBoard } from '@bull-board/api';
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import { FastifyAdapter } from '@bull-board/fastify';
import type { FastifyInstance } from 'fastify';
import { BOARD_PATH } from './auth.ts';
import type { Services } from './services.ts';

export async function registerBoard(app: FastifyInstance, { boardQueues }: Services): Promise<void> {
  if (boardQueues === undefined) return;
  const serverAdapter = new FastifyAdapter();
  serverAdapter.setBasePath(BOARD_PATH);
  createBullBoard({
    queues: boardQueues.map((queue) => new BullMQAdapter(queue, { readOnlyMode: true })),
    serverAdapter,
    options: { uiConfig: { boardTitle: 'Percept' } },
  });
  await app.register(serverAdapter.registerPlugin(), { prefix: BOARD_PATH });
}
