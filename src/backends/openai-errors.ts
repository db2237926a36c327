/** What servers of OpenAI's kind say when they refuse, each in a form of its own, as an error of ours. */
import { AppError, type ErrorCode } from '../base/errors.ts';

export interface Refusal {
  readonly status: number;
  readonly contentType: string | undefined;
  readonly text: string;
}

export interface Reason {
  /** Undefined where no answer came. */
  readonly status: number | undefined;
  readonly reason: string;
  /** The server's own code or type, such as `context_length_exceeded`. */
  readonly kind?: string | undefined;
  readonly cause?: unknown;
}

const MAX_REASON = 500;
/** Where a server has too much to do and does not say for how long. */
const USUAL_PAUSE_SECONDS = 5;

/** Of statuses that may be another at the next try. 501 is never. */
export function asksForPatience(status: number): boolean {
  return status === 408 || status === 429 || (status >= 500 && status !== 501);
}

/** `Retry-After` in seconds or as a date (RFC 9110, 10.2.3). */
export function retryAfterMs(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  const ms = /^\s*\d+(\.\d+)?\s*$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return Number.isFinite(ms) ? Math.max(0, ms) : undefined;
}

/** The message wherever the server puts it; a page or a text is only said to be one, or cut. */
export function readRefusal({ status, contentType, text }: Refusal): Reason {
  if (/html/i.test(contentType ?? '') || /^\s*</.test(text)) return { status, reason: 'an HTML page' };
  try {
    const body = JSON.parse(text) as Record<string, unknown>;
    const inner = [body['error'], body].find((value) => typeof value === 'object' && value !== null);
    const { message, detail, code, type } = (inner ?? {}) as Record<string, unknown>;
    const kind = [code, type].find((value) => typeof value === 'string');
    return { status, reason: textOf(body['error']) ?? textOf(message) ?? textOf(detail) ?? text, kind };
  } catch {
    return { status, reason: text.trim() || 'nothing' };
  }
}

/** FastAPI, which vLLM stands on, gives a list of what is wrong: `{"detail": [{"msg"}]}`. */
function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  if (!Array.isArray(value)) return undefined;
  return value.map((item) => String((item as { msg?: unknown }).msg ?? item)).join('; ');
}

/** The error of ours. Its message names the server, and never its key or password. */
export function refusalError(
  { url, apiKey }: { readonly url: URL; readonly apiKey: string | undefined },
  { status, reason, kind, cause }: Reason,
  pauseMs?: number,
): AppError {
  const secrets = [apiKey, url.password].filter((secret) => secret !== undefined && secret !== '');
  const plain = secrets.reduce<string>((text, secret) => text.replaceAll(secret!, '********'), reason);
  const shown = plain.length > MAX_REASON ? `${plain.slice(0, MAX_REASON)}…` : plain;
  const said = status === undefined || status === 200 ? shown : `it answered ${status}: ${shown}`;
  const code = codeOf(status, `${kind ?? ''} ${reason}`);
  const message = `The language server at ${url.origin} failed: ${said.replace(/[.\s]+$/, '')}.${hintOf(status, code)}`;
  return new AppError(code, message, {
    ...(code === 'model_not_found' ? { param: 'model' } : {}),
    ...(code === 'context_exceeded' ? { param: 'messages' } : {}),
    cause,
    ...(pauseMs === undefined && code !== 'queue_full'
      ? {}
      : { retryAfterSeconds: pauseMs === undefined ? USUAL_PAUSE_SECONDS : pauseMs / 1000 }),
  });
}

/** What the one who asked can change has its own code; anything else is between the operator and that server. */
function codeOf(status: number | undefined, said: string): ErrorCode {
  if (status === 404 && /model/i.test(said)) return 'model_not_found';
  // Its limits are those of whoever asks: to be told as ours are, so that clients wait.
  if (status === 429) return 'queue_full';
  // OpenAI and vLLM: context_length_exceeded, "maximum context length"; llama.cpp: exceed_context_size_error, "available context size".
  const isTooLong = /context_length_exceeded|exceed_context_size|(maximum|available) context (length|size)/i;
  return status !== undefined && isTooLong.test(said) ? 'context_exceeded' : 'upstream_failed';
}

function hintOf(status: number | undefined, code: ErrorCode): string {
  if (code === 'queue_full') return ' Try again later.';
  if (code !== 'upstream_failed') return '';
  if (status === 401 || status === 403) return ' Check language.api_key.';
  if (status === undefined || status === 404) return ' Check that it runs, and language.url.';
  return '';
}
