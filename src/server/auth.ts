/** API keys, and the rule that an open server listens on this machine only. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { isIP } from 'node:net';
import type { FastifyRequest } from 'fastify';
import { AppError } from '../base/errors.ts';

/** Routes that answer without a key: probes cannot hold one. */
const OPEN_PATHS = new Set(['/health', '/health/ready']);

/** A check of one request. Throws `unauthorized`. With no keys everyone passes: `requireSafeBind` has limited who can reach us. */
export function createKeyCheck(keys: readonly string[]): (request: FastifyRequest) => void {
  const digests = keys.map(digest);
  return (request) => {
    if (digests.length === 0 || OPEN_PATHS.has(request.routeOptions.url ?? '')) return;
    const given = keyOf(request);
    if (given === undefined) {
      throw new AppError(
        'unauthorized',
        'No API key was given. Send "Authorization: Bearer KEY" or "X-API-Key: KEY".',
      );
    }
    const presented = digest(given);
    // Every key is compared, so that time tells nothing of which one came close.
    const matches = digests.filter((known) => timingSafeEqual(known, presented));
    if (matches.length === 0) throw new AppError('unauthorized', 'The API key is not one of this server.');
  };
}

function keyOf({ headers }: FastifyRequest): string | undefined {
  const bearer = /^Bearer +(\S+)\s*$/i.exec(headers.authorization ?? '')?.[1];
  if (bearer !== undefined) return bearer;
  const header = headers['x-api-key'];
  if (typeof header === 'string' && header !== '') return header;
  // A browser cannot set headers of a WebSocket: OpenAI's clients offer the key as a subprotocol.
  return /(?:^|,) *openai-insecure-api-key\.([^\s,]+)/.exec(headers['sec-websocket-protocol'] ?? '')?.[1];
}

/** Keys of any length become digests of one length, which `timingSafeEqual` needs. */
function digest(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}

/** Throws `invalid_config` when a server without keys would be reachable from other machines. */
export function requireSafeBind(server: {
  readonly host: string;
  readonly apiKeys: readonly string[];
  readonly auth: 'keys' | 'none';
}): void {
  if (server.auth === 'none' || server.apiKeys.length > 0 || isLoopback(server.host)) return;
  throw new AppError(
    'invalid_config',
    `server.host is ${server.host}, which other machines can reach, but server.api_keys is empty. Set PERCEPT_API_KEYS, or listen on 127.0.0.1, or write server.auth: none if everyone who reaches the port may use it.`,
    { param: 'server.host' },
  );
}

function isLoopback(host: string): boolean {
  if (host === 'localhost' || host === '::1') return true;
  return isIP(host) === 4 && host.startsWith('127.');
}
