/** Generation by a running server, through the same API that everyone uses. */
import { text } from 'node:stream/consumers';
import { readServerEvents } from '../base/server-events.ts';
import type { FinishReason, GenerateRequest } from '../language/generation.ts';
import { askServer, type RemoteServer } from './ask-server.ts';
import { type NamedError, namedError } from './transcribe-remotely.ts';
import type { Completion, Writer } from './writer.ts';

/** Throws the server's own error, or `server_unreachable`. */
export function generateRemotely(remote: RemoteServer): Writer {
  const ask = askServer(remote, 'chat/completions');
  return {
    ask: (request, signal) =>
      ask(toBody(request), signal, async ({ body }) => JSON.parse(await text(body)) as Completion),
    stream: (request, { signal, onText }) =>
      ask({ ...toBody(request), stream: true }, signal, ({ body }) => readChunks(body, onText)),
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
