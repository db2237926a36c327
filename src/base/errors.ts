/**
 * The one error class of Percept. An `AppError` is an operating error: something a user, an operator or the
 * network did. It is made where the cause is known, carries the remedy in its message, and is turned into an HTTP
 * status (`server/error-status.ts`) or an exit code (`cli/exit-codes.ts`) at the edge only. A programmer error is
 * an assertion and ends the process instead.
 *
 * Every code stands in `docs/errors.md`; a test proves both directions.
 */
export const ERROR_CODES = [
  // what the client sent
  'invalid_request',
  'invalid_file_name',
  'unsupported_parameter',
  'invalid_schema',
  'unsupported_schema',
  'audio_too_short',
  'context_exceeded',
  'output_truncated',
  'unauthorized',
  'model_not_found',
  'not_found',
  'method_not_allowed',
  'file_too_large',
  'audio_too_long',
  'audio_backlog',
  'unsupported_audio',
  'unsupported_image',
  'image_too_large',
  'unsupported_media_type',
  'missing_template',
  'invalid_template',
  'task_not_found',
  'task_state',
  'idempotency_conflict',
  // what the server can do now
  'queue_full',
  'cancelled',
  'timeout',
  'model_loading',
  'model_not_installed',
  'model_failed',
  'model_crashed',
  'out_of_memory',
  'not_runnable',
  'shutting_down',
  'invalid_output',
  'upstream_failed',
  'queue_unavailable',
  'claim_lost',
  'result_too_large',
  // weights and the machine
  'offline',
  'download_failed',
  'checksum_mismatch',
  'disk_full',
  'unsupported_model',
  'server_unreachable',
  'port_in_use',
  // the operator
  'invalid_config',
  'usage',
  'internal',
] as const;

export type ErrorCode = (typeof ERROR_CODES)[number];

export interface AppErrorOptions {
  /** The request field or configuration key at fault, in the client's spelling. */
  readonly param?: string;
  /** How long the client should wait before it tries again, in seconds; sent as `Retry-After`. */
  readonly retryAfterSeconds?: number;
  readonly cause?: unknown;
}

/** What crosses a process boundary in place of an `AppError`. */
export interface WireError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly param?: string;
  readonly retryAfterSeconds?: number;
}

export class AppError extends Error {
  override readonly name = 'AppError';
  readonly code: ErrorCode;
  readonly param: string | undefined;
  readonly retryAfterSeconds: number | undefined;

  constructor(code: ErrorCode, message: string, options: AppErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.param = options.param;
    this.retryAfterSeconds = options.retryAfterSeconds;
  }
}

/** Any thrown value as an `AppError`; what is not one already is `internal`, with the original as its cause. */
export function toAppError(thrown: unknown): AppError {
  if (thrown instanceof AppError) return thrown;
  if (thrown instanceof Error && thrown.name === 'AbortError') {
    return new AppError('cancelled', 'The request was cancelled.', { cause: thrown });
  }
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new AppError('internal', message, { cause: thrown });
}

export function toWireError(thrown: unknown): WireError {
  const error = toAppError(thrown);
  return {
    code: error.code,
    message: error.message,
    ...(error.param === undefined ? {} : { param: error.param }),
    ...(error.retryAfterSeconds === undefined ? {} : { retryAfterSeconds: error.retryAfterSeconds }),
  };
}

export function fromWireError(wire: WireError): AppError {
  return new AppError(wire.code, wire.message, {
    ...(wire.param === undefined ? {} : { param: wire.param }),
    ...(wire.retryAfterSeconds === undefined ? {} : { retryAfterSeconds: wire.retryAfterSeconds }),
  });
}
