import { type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';

export interface JsonRequest {
  readonly body: object;
  readonly headers: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

export interface JsonAnswer {
  readonly status: number;
  /** Must be read. */
  readonly body: IncomingMessage;
}

/** After a silence of this length the system asks whether the server's machine is still there. */
const TCP_KEEP_ALIVE_MS = 30_000;

/**
 * Posts JSON and gives the answer as soon as it begins, whatever its status. It waits as long as the signal lets it, where `fetch` gives up
 * after five minutes. Rejects with the system's own error when the line breaks, and when the signal fires.
 */
export function postJson(url: string, { body, headers, signal }: JsonRequest): Promise<JsonAnswer> {
  return new Promise((resolve, reject) => {
    const content = JSON.stringify(body);
    const outgoing = (url.startsWith('https:') ? requestHttps : requestHttp)(url, {
      method: 'POST',
      headers: {
        ...headers,
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(content),
      },
      signal,
      // The process ends with its command, so no connection is kept for a next one.
      agent: false,
    });
    outgoing.once('socket', (socket) => socket.setKeepAlive(true, TCP_KEEP_ALIVE_MS));
    outgoing.once('response', (answer) => resolve({ status: answer.statusCode!, body: answer }));
    outgoing.on('error', reject);
    outgoing.end(content);
  });
}
