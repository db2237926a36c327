/** Every error answer, in OpenAI's form with all four keys; logged once, here. */
import type { Socket } from 'node:net';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { AppError, type ErrorCode, toAppError } from '../base/errors.ts';
import { ERROR_STATUS } from './error-status.ts';
import type {} from './metrics.ts';

export function replyError(thrown: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const { status, retryAfterSeconds, body } = reportError(thrown, request);
  if (retryAfterSeconds !== undefined)
    void reply.header('retry-after', Math.max(1, Math.ceil(retryAfterSeconds)));
  return reply.status(status).send(body);
}

export interface ErrorReport {
  readonly status: number;
  readonly retryAfterSeconds: number | undefined;
  readonly body: {
    readonly error: {
      readonly message: string;
      readonly type: string;
      readonly param: string | null;
      readonly code: string;
    };
  };
}

/** Logs an error and says how it is answered. */
export function reportError(thrown: unknown, request: FastifyRequest): ErrorReport {
  const error = fromFastify(thrown);
  const { status, type } = ERROR_STATUS[error.code];
  request.server.metrics.countError(error.code);
  const isOurs = status < 500 || error.code !== 'internal';
  if (isOurs) request.log.info({ code: error.code, status }, 'request refused');
  else request.log.error({ err: error.cause ?? error }, 'request failed');
  const message = isOurs
    ? error.message
    : `The server failed. Its log has the reason under request id ${request.id}.`;
  return {
    status,
    retryAfterSeconds: error.retryAfterSeconds,
    body: { error: { message, type, param: error.param ?? null, code: error.code } },
  };
}

export function replyNotFound(request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const { method } = request;
  const path = request.url.split('?')[0];
  const others = ['GET', 'POST', 'DELETE'].filter(
    (other) => other !== method && request.server.hasRoute({ method: other as 'GET', url: path! }),
  );
  if (others.length > 0) {
    void reply.header('allow', others.join(', '));
    return replyError(
      new AppError('method_not_allowed', `${method} is not answered at ${path}; use ${others.join(' or ')}.`),
      request,
      reply,
    );
  }
  return replyError(
    new AppError('not_found', `There is nothing at ${method} ${path}. GET /docs lists the routes.`),
    request,
    reply,
  );
}

/** Bytes that are no HTTP request, or headers over the limit: there is no request yet, so the answer is written by hand. */
export function replyBrokenRequest(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const { status, message } = BROKEN[error.code ?? ''] ?? {
    status: '400 Bad Request',
    message: 'This is not a valid HTTP request.',
  };
  const { type } = ERROR_STATUS.invalid_request;
  const body = JSON.stringify({
    error: { message, type, param: null, code: 'invalid_request' satisfies ErrorCode },
  });
  const head = `HTTP/1.1 ${status}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n`;
  socket.end(head + body);
}

const BROKEN: Readonly<Record<string, { readonly status: string; readonly message: string }>> = {
  HPE_HEADER_OVERFLOW: {
    status: '431 Request Header Fields Too Large',
    message: 'The request headers are too large (server.max_header_bytes).',
  },
  ERR_HTTP_REQUEST_TIMEOUT: {
    status: '408 Request Timeout',
    message: 'The request was not sent in time (server.request_timeout_seconds).',
  },
};

/** Fastify's own refusals (a broken header, a body of the wrong type) as ours. */
function fromFastify(thrown: unknown): AppError {
  if (thrown instanceof AppError) return thrown;
  const { statusCode, message } = thrown as FastifyError;
  if (statusCode === undefined || statusCode >= 500) return toAppError(thrown);
  const codes: Record<number, ErrorCode> = { 413: 'file_too_large', 415: 'unsupported_media_type' };
  const hint =
    statusCode === 413
      ? ' The limits are server.max_json_bytes and, with images, vision.max_request_bytes.'
      : '';
  return new AppError(codes[statusCode] ?? 'invalid_request', `${message}${hint}`, { cause: thrown });
}
