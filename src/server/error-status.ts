/** The one table from an error's code to what an HTTP client sees: the status, and OpenAI's error type. */
import type { ErrorCode } from '../base/errors.ts';

export type ErrorType =
  | 'invalid_request_error'
  | 'authentication_error'
  | 'rate_limit_error'
  | 'server_error';

export interface ErrorStatus {
  readonly status: number;
  readonly type: ErrorType;
}

const clientError = (status: number): ErrorStatus => ({ status, type: 'invalid_request_error' });
const serverError = (status: number): ErrorStatus => ({ status, type: 'server_error' });

export const ERROR_STATUS = {
  invalid_request: clientError(400),
  invalid_file_name: clientError(400),
  unsupported_parameter: clientError(400),
  invalid_schema: clientError(400),
  unsupported_schema: clientError(400),
  audio_too_short: clientError(400),
  context_exceeded: clientError(400),
  output_truncated: clientError(422),
  unauthorized: { status: 401, type: 'authentication_error' },
  model_not_found: clientError(404),
  not_found: clientError(404),
  method_not_allowed: clientError(405),
  file_too_large: clientError(413),
  audio_too_long: clientError(413),
  audio_backlog: { status: 429, type: 'rate_limit_error' },
  unsupported_audio: clientError(415),
  unsupported_image: clientError(415),
  image_too_large: clientError(413),
  unsupported_media_type: clientError(415),
  missing_template: clientError(422),
  invalid_template: clientError(422),
  task_not_found: clientError(404),
  task_state: clientError(409),
  idempotency_conflict: clientError(409),
  queue_full: { status: 429, type: 'rate_limit_error' },
  // Nobody is left to read this one; it stands in the log.
  cancelled: clientError(499),
  timeout: serverError(503),
  model_loading: serverError(503),
  model_not_installed: serverError(503),
  model_failed: serverError(503),
  model_crashed: serverError(503),
  out_of_memory: serverError(503),
  not_runnable: serverError(503),
  shutting_down: serverError(503),
  invalid_output: serverError(502),
  upstream_failed: serverError(502),
  queue_unavailable: serverError(503),
  claim_lost: serverError(500),
  result_too_large: serverError(500),
  offline: serverError(503),
  download_failed: serverError(503),
  checksum_mismatch: serverError(503),
  disk_full: serverError(503),
  unsupported_model: serverError(503),
  server_unreachable: serverError(503),
  port_in_use: serverError(500),
  invalid_config: serverError(500),
  usage: serverError(500),
  internal: serverError(500),
} as const satisfies Record<ErrorCode, ErrorStatus>;
