/** API keys, and the rule that an open server listens on this machine only. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { isIP } from 'node:net';
import type { FastifyRequest } from 'fastify';
import { AppError } from '../base/errors.ts';

/** Routes that answer without a key: probes cannot hold one. */
const OPEN_PATHS = new Set(['/health', '/health/ready']);

/** Where a browser shows the queue, where Redis keeps it. */
export const BOARD_PATH = '/admin/queues';

export interface KeyCheckOptions {
  readonly apiKeys: readonly string[];
  /** The operator has written out that whoever reaches the port may use it. */
  readonly isOpenToAll: boolean;
}

/**
 * A check of one request. Throws `unauthorized`. With no keys everyone passes who can reach us, which `requireSafeBind` has limited
 * to this machine, but for pages of other sites in this machine's browser: those reach us, too.
 */
export function createKeyCheck({ apiKeys, isOpenToAll }: KeyCheckOptions): (request: FastifyRequest) => void {
  const digests = apiKeys.map(digest);
  return (request) => {
    if (isOpenToAll || OPEN_PATHS.has(request.routeOptions.url ?? '')) return;
    if (digests.length === 0) {
      refuseForeignPage(request);
      return;
    }
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

/** Browsers say which site a page is of; other clients say nothing. */
function refuseForeignPage({ headers: { origin } }: FastifyRequest): void {
  if (origin === undefined) return;
  const host = URL.canParse(origin) ? new URL(origin).hostname.replace(/^\[(.*)\]$/, '$1') : '';
  if (isLoopback(host)) return;
  throw new AppError(
    'unauthorized',
    `A page of ${origin} may not use a server without keys. Set PERCEPT_API_KEYS and give the page a key.`,
  );
}

/** By the path that was asked for, as routes of the board are its own. */
export function isBoard(url: string): boolean {
  return url === BOARD_PATH || url.startsWith(`${BOARD_PATH}/`) || url.startsWith(`${BOARD_PATH}?`);
}

function keyOf({ headers, url }: FastifyRequest): string | undefined {
  const bearer = /^Bearer +(\S+)\s*$/i.exec(headers.authorization ?? '')?.[1];
  if (bearer !== undefined) return bearer;
  if (isBoard(url)) {
    // A person's browser asks for a name and a password; the key is the password. Only there, where nothing can be changed: browsers send it with
    // requests that pages of other sites make, too.
    const basic = /^Basic +([\w+/=-]+)\s*$/i.exec(headers.authorization ?? '')?.[1];
    if (basic !== undefined) return /:(.*)$/s.exec(Buffer.from(basic, 'base64').toString())?.[1];
  }
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
