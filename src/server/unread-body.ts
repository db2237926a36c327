import type { FastifyRequest } from 'fastify';

/** As long as nginx waits for a client that goes on sending after its answer (lingering_time). */
const LINGER_MS = 30_000;

/**
 * Reads and drops what is left of a body that was answered early. Unread, it would keep the connection's next request waiting for
 * ever; to close the connection at once could cost the client its answer (RFC 9112, 9.6).
 */
export function dropUnreadBody({ raw }: FastifyRequest): void {
  if (raw.readableEnded || raw.destroyed) return;
  raw.unpipe();
  raw.resume();
  if (raw.complete) return;
  const timer = setTimeout(() => raw.socket.destroy(), LINGER_MS);
  raw.once('close', () => clearTimeout(timer));
}
