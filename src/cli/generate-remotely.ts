/** Generation by a running server, through the same API that everyone uses. */
import { text } from 'node:stream/consumers';
import { abortError } from '../base/abort.ts';
import { AppError } from '../base/errors.ts';
import { readServerEvents } from '../base/server-events.ts';
import type { FinishReason, GenerateRequest } from '../language/generation.ts';
import { type JsonAnswer, postJson } from './post-json.ts';
import { type NamedError, namedError, routeOf, serverError, unreachable } from './transcribe-remotely.ts';
import type { Completion, Writer } from './writer.ts';

export interface RemoteServer {
  readonly server: string;
  readonly apiKey: string | undefined;
}

/** Throws the server's own error, or `server_unreachable`. */
export function generateRemotely({ server, apiKey }: RemoteServer): Writer {
  const url = routeOf(server, 'chat/completions');
  const headers: Record<string, string> = apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` };

  /** What `read` makes of an answer with status 200. */
  async function answered<T>(
    body: object,
    signal: AbortSignal,
    read: (answer: JsonAnswer) => Promise<T>,
  ): Promise<T> {
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
  }

  return {
    ask: (request, signal) =>
      answered(toBody(request), signal, async ({ body }) => JSON.parse(await text(body)) as Completion),
    stream: (request, { signal, onText }) =>
      answered({ ...toBody(request), stream: true }, signal, ({ body }) => readChunks(body, onText)),
  };
}

function toBody({ model, messages, output, settings, seed }: GenerateRequest): object {
  return {
    model,
    messages,
    response_format:
      output?.kind === 'schema'
        ? { type: 'json_schema', json_schema: { name: 'answer', schema: output.schema, strict: true } }
        : undefined,
    temperature: settings?.temperature,
    max_tokens: settings?.maxTokens,
    seed,
  };
}

interface Chunk {
  readonly error?: NamedError;
  readonly choices?: readonly {
    readonly delta: { readonly content?: string };
    readonly finish_reason: FinishReason | null;
  }[];
}

async function readChunks(
  body: AsyncIterable<Uint8Array>,
  onText: (text: string) => void,
): Promise<FinishReason> {
  let reason: FinishReason | undefined;
  for await (const { data } of readServerEvents(body)) {
    if (data === '[DONE]') break;
    const { error, choices } = JSON.parse(data) as Chunk;
    if (error !== undefined) throw namedError(error);
    const [choice] = choices ?? [];
    if (choice?.delta.content) onText(choice.delta.content);
    reason = choice?.finish_reason ?? reason;
  }
  if (reason === undefined) throw new Error('The answer broke off.');
  return reason;
}
