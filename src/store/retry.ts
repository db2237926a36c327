import { sleep, throwIfAborted } from '../base/abort.ts';
import { AppError } from '../base/errors.ts';
import { hidePassword } from '../base/url.ts';
import {
  describeNetworkError,
  type Headers,
  type HttpAnswer,
  isUnreachable,
  type Network,
} from './network.ts';

/** A failure that may be gone at the next try: a cut line, a busy or failing server. */
export class TransientError extends Error {
  override readonly name = 'TransientError';
  readonly retryAfterMs: number;

  constructor(message: string, retryAfterMs = 0) {
    super(message);
    this.retryAfterMs = retryAfterMs;
  }
}

export interface RetryOptions {
  readonly signal?: AbortSignal | undefined;
  /** Pause before the first retry; doubled before each next. */
  readonly delayMs: number;
  /** What is being fetched, for the message of the last failure. */
  readonly what: string;
  /** Whether the failed try got further than the one before: then the count of failures starts again. */
  readonly hasAdvanced?: () => boolean;
}

const MAX_RETRIES = 3;
/** The longest simple page of a package index is a few megabytes. */
const MAX_TEXT_LENGTH = 32 * 1024 ** 2;
/** A server that asks for a longer pause is left to the user's next try. */
const MAX_RETRY_AFTER_MS = 60_000;

/** Runs `attempt` until it succeeds, at most three times more than once. Ends in `download_failed`. */
export async function withRetries<T>(attempt: () => Promise<T>, options: RetryOptions): Promise<T> {
  for (let failures = 0; ; ) {
    throwIfAborted(options.signal);
    try {
      return await attempt();
    } catch (error) {
      throwIfAborted(options.signal);
      if (!(error instanceof TransientError) && !isNetworkError(error)) throw error;
      if (options.hasAdvanced?.()) failures = 0;
      failures += 1;
      const retryAfterMs = error instanceof TransientError ? error.retryAfterMs : 0;
      if (failures > MAX_RETRIES || retryAfterMs > MAX_RETRY_AFTER_MS || !isTransient(error)) {
        throw givenUp(error, options.what);
      }
      await sleep(Math.max(retryAfterMs, options.delayMs * 2 ** (failures - 1)), options.signal);
    }
  }
}

/** A small text over HTTP and where it came from in the end, with retries. Throws `download_failed` when the server does not answer it. */
export async function getText(
  url: string,
  context: {
    readonly network: Network;
    readonly retryDelayMs: number;
    readonly signal?: AbortSignal | undefined;
  },
  headers: Headers = {},
): Promise<{ readonly text: string; readonly url: string }> {
  const what = hidePassword(url);
  const read = async () => {
    const answer = await context.network.get(url, { headers, signal: context.signal });
    checkStatus(answer, what);
    let text = '';
    for await (const chunk of answer.body.setEncoding('utf8')) {
      text += chunk as string;
      if (text.length > MAX_TEXT_LENGTH)
        throw new AppError('download_failed', `${what}: the answer is too long.`);
    }
    return { text, url: answer.url };
  };
  return withRetries(read, { delayMs: context.retryDelayMs, signal: context.signal, what });
}

/** Throws for every status but 200, 206 and 416: transient when the server may answer otherwise soon. */
export function checkStatus(answer: HttpAnswer, what: string): void {
  const { status } = answer;
  if (status === 200 || status === 206 || status === 416) return;
  answer.body.on('error', () => {}).destroy();
  if (status === 408 || status === 429 || status >= 500) {
    const seconds = Number(answer.headers['retry-after']);
    throw new TransientError(`the server answered ${status}`, Number.isFinite(seconds) ? seconds * 1000 : 0);
  }
  throw new AppError('download_failed', `${what}: the server answered ${status}${statusHint(status)}.`);
}

function statusHint(status: number): string {
  if (status === 401 || status === 403)
    return ' (it does not exist, or needs permission: set HF_TOKEN for the hub)';
  return status === 404 ? ' (not found)' : '';
}

/** Errors of the HTTP client, of sockets and of TLS carry these codes; those of the disk do not count. */
function isNetworkError(error: unknown): boolean {
  const code = (error as { code?: unknown } | undefined)?.code;
  return (
    typeof code === 'string' &&
    /^(UND_ERR_|ECONN|ENET|EHOST|ENOTFOUND|EAI_|EPIPE|ETIMEDOUT|EPROTO|HPE_)|CERT|SIGNATURE|TLS|SSL/.test(
      code,
    )
  );
}

/** Whether the next try may go better: not when no connection was made at all, nor when a certificate was refused. */
function isTransient(error: unknown): boolean {
  if (error instanceof TransientError) return true;
  const code = (error as { code?: unknown }).code;
  return !isUnreachable(error) && !/CERT|SIGNATURE|TLS|SSL/.test(String(code));
}

function givenUp(error: unknown, what: string): AppError {
  const reason = error instanceof TransientError ? error.message : describeNetworkError(error);
  return new AppError('download_failed', `${what}: ${reason}.`, { cause: error });
}
