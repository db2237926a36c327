import type { FastifyReply, FastifyRequest } from 'fastify';
import type { SpeechService } from '../speech/service.ts';
import { requestSignal } from './request-signal.ts';

/** Runs `work` with a turn, taken before the body is looked at and given back on every path, and a signal that fires when the client goes. */
export async function inTurn<T>(
  service: Pick<SpeechService, 'admit'>,
  { request, reply }: { readonly request: FastifyRequest; readonly reply: FastifyReply },
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const signal = requestSignal(request, reply);
  const turn = service.admit();
  try {
    return await work(signal);
  } finally {
    turn.release();
  }
}
