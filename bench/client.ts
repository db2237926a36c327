/** A client of the server that waits as long as it takes; `fetch` gives up when the first byte takes five minutes. */
import { openAsBlob } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { basename } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';

export interface TranscriptionForm {
  readonly path: string;
  /** All but the file, in the order to send. */
  readonly fields: readonly (readonly [string, string])[];
  readonly signal?: AbortSignal | undefined;
}

export interface HttpAnswer {
  readonly status: number;
  /** What the server asks to wait when it is busy. */
  readonly retryAfterSeconds: number | undefined;
  readonly body: string;
}

/** Rejects when the line breaks or the signal fires, not for a status. */
export async function postTranscription(url: string, form: TranscriptionForm): Promise<HttpAnswer> {
  const { path, fields, signal } = form;
  const data = new FormData();
  for (const [name, value] of fields) data.append(name, value);
  data.append('file', await openAsBlob(path), basename(path));
  const encoded = new Response(data);
  const headers = { 'content-type': encoded.headers.get('content-type')! };
  const outgoing = request(`${url}/v1/audio/transcriptions`, { method: 'POST', headers, signal });
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    outgoing.once('response', resolve).once('error', reject);
  });
  // A server that refuses answers before it has read all, and then closes the line: the answer counts.
  const sent = pipeline(Readable.fromWeb(encoded.body!), outgoing).catch(() => {});
  const answer = await answered;
  const body = await text(answer);
  outgoing.destroy();
  await sent;
  const retryAfter = answer.headers['retry-after'];
  return {
    status: answer.statusCode!,
    retryAfterSeconds: retryAfter === undefined ? undefined : Number(retryAfter),
    body,
  };
}
