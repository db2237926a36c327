import { type IncomingHttpHeaders, type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';

export interface FormRequest {
  readonly form: FormData;
  readonly headers: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

export interface FormAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** After a silence of this length the system asks whether the server's machine is still there. */
const TCP_KEEP_ALIVE_MS = 30_000;

/**
 * Posts a form, files streaming from disk, and reads the whole answer, whatever its status. It waits as long as the signal lets it:
 * the first byte of the transcript of hours of audio comes after many minutes, and `fetch` gives up after five. Rejects with the
 * system's own error when the line breaks, and when the signal fires.
 */
export async function postForm(url: string, { form, headers, signal }: FormRequest): Promise<FormAnswer> {
  const encoded = new Response(form);
  const send = url.startsWith('https:') ? requestHttps : requestHttp;
  const contentType = encoded.headers.get('content-type')!;
  const outgoing = send(url, {
    method: 'POST',
    headers: { ...headers, 'content-type': contentType },
    signal,
  });
  outgoing.once('socket', (socket) => socket.setKeepAlive(true, TCP_KEEP_ALIVE_MS));
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    outgoing.once('response', resolve);
    outgoing.on('error', reject);
  });
  // A server that refuses may answer before it has read all and then close the line: the answer counts, not the broken upload.
  const sent = pipeline(Readable.fromWeb(encoded.body!), outgoing).catch(() => {});
  try {
    const answer = await answered;
    return { status: answer.statusCode!, headers: answer.headers, body: await text(answer) };
  } finally {
    outgoing.destroy();
    await sent;
  }
}
