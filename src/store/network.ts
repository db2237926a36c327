/** HTTP for downloads: proxies, time-outs, redirects, and credentials that go to their own host only. */
import type { Readable } from 'node:stream';
import type { Dispatcher, request } from 'undici';
import { abortError, throwIfAborted } from '../base/abort.ts';
import { AppError } from '../base/errors.ts';

export interface NetworkOptions {
  readonly offline: boolean;
  readonly connectTimeoutMs: number;
  /** Longest silence of a server, before and between bytes. */
  readonly idleTimeoutMs: number;
  readonly proxy: { readonly httpProxy: string; readonly httpsProxy: string; readonly noProxy: string };
  /** `Authorization` header by origin (`https://host:port`); a redirect to another origin is asked without it. */
  readonly credentials: ReadonlyMap<string, string>;
}

export type Headers = Readonly<Record<string, string>>;

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Headers;
  /** Headers of each redirect on the way here, first to last: the hub states its hashes there. */
  readonly redirects: readonly Headers[];
  /** Where the answer came from in the end. */
  readonly url: string;
  /** Must be read or destroyed. */
  readonly body: Readable;
}

export interface GetOptions {
  readonly headers?: Headers;
  readonly signal?: AbortSignal | undefined;
}

export interface Network {
  /** Throws `offline`, `cancelled`, `download_failed` for a bad redirect, or the client's own error for a broken line. */
  get(url: string, options?: GetOptions): Promise<HttpAnswer>;
  close(): Promise<void>;
}

const MAX_REDIRECTS = 6;
const USER_AGENT = 'percept';

export function openNetwork(options: NetworkOptions): Network {
  let opened: Promise<Client> | undefined;
  return {
    get: async (url, get = {}) => {
      requireOnline(url, options);
      opened ??= openClient(options);
      return follow(url, get, await opened);
    },
    // What is under way belongs to callers that have been given up by now.
    close: async () => (await opened)?.dispatcher.destroy(),
  };
}

/** Imported at the first download: most servers never need one, and the library takes 9 MB. */
async function openClient(options: NetworkOptions): Promise<Client> {
  const { Agent, EnvHttpProxyAgent, request } = await import('undici');
  const { connectTimeoutMs, idleTimeoutMs } = options;
  const limits = {
    connect: { timeout: connectTimeoutMs },
    headersTimeout: idleTimeoutMs,
    bodyTimeout: idleTimeoutMs,
  };
  const { httpProxy, httpsProxy } = options.proxy;
  const dispatcher =
    httpProxy || httpsProxy ? new EnvHttpProxyAgent({ ...limits, ...options.proxy }) : new Agent(limits);
  return { credentials: options.credentials, dispatcher, request };
}

/** `Authorization` for a URL that carries `user:password@`, and the URL without it. */
export function splitCredentials(url: string): { readonly url: string; readonly authorization?: string } {
  const parsed = new URL(url);
  if (!parsed.username && !parsed.password) return { url };
  const pair = `${decodeURIComponent(parsed.username)}:${decodeURIComponent(parsed.password)}`;
  parsed.username = '';
  parsed.password = '';
  return { url: parsed.href, authorization: `Basic ${Buffer.from(pair).toString('base64')}` };
}

/** Whether no connection was made at all: trying the same host again at once would not help. */
export function isUnreachable(error: unknown): boolean {
  const code = (error as { code?: string } | undefined)?.code ?? '';
  return /^(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|UND_ERR_CONNECT_TIMEOUT)$/.test(code);
}

/** A broken line in words; the client's messages alone are terse ("other side closed"). */
export function describeNetworkError(error: unknown): string {
  const { code, message } = error as { code?: string; message?: string };
  switch (code) {
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `the host name cannot be resolved (${code})`;
    case 'UND_ERR_CONNECT_TIMEOUT':
      return 'no connection within the time-out';
    case 'UND_ERR_HEADERS_TIMEOUT':
    case 'UND_ERR_BODY_TIMEOUT':
      return 'the server stopped sending';
    default:
      return `${message || 'the connection broke'}${code ? ` (${code})` : ''}`;
  }
}

interface Client extends Pick<NetworkOptions, 'credentials'> {
  readonly dispatcher: Dispatcher;
  readonly request: typeof request;
}

function requireOnline(url: string, { offline }: NetworkOptions): void {
  if (!offline) return;
  throw new AppError(
    'offline',
    `${url} is needed, but Percept is offline. Unset PERCEPT_OFFLINE, or bring the files with \`percept import\`.`,
  );
}

async function follow(start: string, get: GetOptions, client: Client): Promise<HttpAnswer> {
  const redirects: Headers[] = [];
  let url = start;
  for (;;) {
    const answer = await ask(url, get, client);
    const location = answer.headers['location'];
    if (answer.status < 300 || answer.status > 399 || answer.status === 304 || !location) {
      return { ...answer, redirects, url };
    }
    answer.body.on('error', () => {}).destroy();
    redirects.push(answer.headers);
    url = new URL(location, url).href;
    if (!/^https?:/.test(url) || redirects.length > MAX_REDIRECTS) {
      throw new AppError('download_failed', `${start} redirects too often or to something other than HTTP.`);
    }
  }
}

async function ask(
  url: string,
  get: GetOptions,
  client: Client,
): Promise<Omit<HttpAnswer, 'redirects' | 'url'>> {
  throwIfAborted(get.signal);
  const authorization = client.credentials.get(new URL(url).origin);
  try {
    const { statusCode, headers, body } = await client.request(url, {
      dispatcher: client.dispatcher,
      signal: get.signal ?? null,
      // Bytes are counted and hashed as they are stored, so no transfer compression.
      headers: {
        'user-agent': USER_AGENT,
        'accept-encoding': 'identity',
        ...get.headers,
        ...(authorization ? { authorization } : {}),
      },
    });
    return { status: statusCode, headers: singleValues(headers), body };
  } catch (error) {
    if (get.signal?.aborted) throw abortError(get.signal);
    throw error;
  }
}

function singleValues(headers: Record<string, string | string[] | undefined>): Headers {
  const entries = Object.entries(headers).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, Array.isArray(value) ? value.join(', ') : value] as const],
  );
  return Object.fromEntries(entries);
}
