/** JSON to a running server and back, its errors as if they were ours. */
import { text } from 'node:stream/consumers';
import { abortError } from '../base/abort.ts';
import { AppError } from '../base/errors.ts';
import { type JsonAnswer, postJson } from './post-json.ts';
import { routeOf, serverError, unreachable } from './transcribe-remotely.ts';

export interface RemoteServer {
  readonly server: string;
  readonly apiKey: string | undefined;
}

/** Gives what `read` makes of an answer with status 200. Throws the server's own error, or `server_unreachable`. */
export type AskServer = <T>(
  body: object,
  signal: AbortSignal,
  read: (answer: JsonAnswer) => Promise<T>,
) => Promise<T>;

/** `route` is one below /v1. */
export function askServer({ server, apiKey }: RemoteServer, route: string): AskServer {
  const url = routeOf(server, route);
  const headers: Record<string, string> = apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` };
  return async (body, signal, read) => {
    const answer = await postJson(url, { body, headers, signal }).catch((cause: unknown) => {
      throw signal.aborted ? abortError(signal) : unreachable(server, cause);
    });
    try {
      if (answer.status !== 200) throw serverError(answer.status, await text(answer.body));
      return await read(answer);
    } catch (cause) {
      if (signal.aborted) throw abortError(signal);
      if (cause instanceof AppError) throw cause;
      throw new AppError('server_unreachable', `The answer of ${server} broke off, or cannot be read.`, {
        cause,
      });
    }
  };
}
