/** One try at one webhook. */
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { abortError } from '../../base/abort.ts';
import { deadline } from '../../base/deadline.ts';
import { AppError } from '../../base/errors.ts';
import { checkWebhookUrl, guardedLookup } from './address.ts';
import { signatureHeaders } from './signature.ts';

export interface Webhook {
  readonly url: string;
  /** The same at each try. */
  readonly id: string;
  readonly body: string;
}

export interface SendOptions {
  readonly secret: string;
  readonly timeoutMs: number;
  readonly allowedHosts: readonly string[];
  readonly userAgent: string;
  readonly signal: AbortSignal;
  now(): Date;
}

/** The receiver wants no more of these (https://www.rfc-editor.org/rfc/rfc9110#name-410-gone). */
const GONE = 410;

/**
 * Resolves when the receiver answers 2xx. Throws `upstream_failed` where another try may help, `invalid_request` where it cannot: the address is not
 * allowed, or the receiver answers 410. Redirections are not followed: they would lead past the check of the address.
 */
export async function sendWebhook({ url, id, body }: Webhook, options: SendOptions): Promise<void> {
  const target = checkWebhookUrl(url, options.allowedHosts);
  const limit = deadline(options.timeoutMs, () => failed(target, 'did not answer in time'), options.signal);
  try {
    const status = await post(target, {
      body,
      signal: limit.signal,
      allowedHosts: options.allowedHosts,
      headers: {
        'content-type': 'application/json',
        'content-length': String(Buffer.byteLength(body)),
        'user-agent': options.userAgent,
        ...signatureHeaders(options.secret, { id, at: options.now(), body }),
      },
    });
    if (status === GONE)
      throw new AppError('invalid_request', `${target.host} answered 410: it wants no more webhooks.`);
    if (status < 200 || status > 299) throw failed(target, `answered ${status}`);
  } catch (error) {
    if (error instanceof AppError) throw error;
    if (limit.signal.aborted) throw abortError(limit.signal);
    throw failed(target, `cannot be reached (${(error as NodeJS.ErrnoException).code ?? error})`, error);
  } finally {
    limit.dispose();
  }
}

/** Without the path, which may hold a token of the receiver. */
function failed({ host }: URL, what: string, cause?: unknown): AppError {
  return new AppError('upstream_failed', `The receiver of the webhook at ${host} ${what}.`, { cause });
}

interface Post {
  readonly body: string;
  readonly headers: Record<string, string>;
  readonly allowedHosts: readonly string[];
  readonly signal: AbortSignal;
}

/** The status of the answer; its body is not waited for. */
function post(url: URL, { body, headers, allowedHosts, signal }: Post): Promise<number> {
  const send = url.protocol === 'https:' ? requestHttps : requestHttp;
  return new Promise((resolve, reject) => {
    const outgoing = send(url, {
      method: 'POST',
      headers,
      signal,
      agent: false,
      lookup: guardedLookup(allowedHosts),
    });
    outgoing.once('response', (answer) => {
      resolve(answer.statusCode!);
      answer.destroy();
    });
    outgoing.once('error', reject);
    outgoing.end(body);
  });
}
