/** Transcription by a running server, through the same API that everyone uses. */
import { openAsBlob } from 'node:fs';
import { basename } from 'node:path';
import { abortError } from '../base/abort.ts';
import { AppError, ERROR_CODES, type ErrorCode } from '../base/errors.ts';
import { GRANULARITIES } from '../speech/formats.ts';
import type { SpeechRequest } from '../speech/service.ts';
import { postForm } from './post-form.ts';
import type { Answer, Format, Transcriber } from './transcriber.ts';

export interface NamedError {
  readonly code: string;
  readonly message: string;
}

export function namedError({ code, message }: NamedError): AppError {
  return new AppError(
    ERROR_CODES.find((known) => known === code) ?? ('internal' satisfies ErrorCode),
    message,
  );
}

export function unreachable(server: string, cause: unknown): AppError {
  return new AppError(
    'server_unreachable',
    `No server answers at ${server}. Start one with "percept serve", or check the address.`,
    { cause },
  );
}

/** A server's address as people write it, with or without the slash and the version. */
export function routeOf(server: string, route: string): string {
  return `${server.replace(/\/+$/, '').replace(/\/v1$/, '')}/v1/${route}`;
}

export interface RemoteOptions {
  readonly server: string;
  readonly apiKey?: string;
  readonly request: SpeechRequest;
  readonly signal: AbortSignal;
}

const RESPONSE_FORMATS = {
  text: 'text',
  srt: 'srt',
  vtt: 'vtt',
  json: 'verbose_json',
} as const satisfies Record<Format, string>;

/**
 * Throws the server's own error, or `server_unreachable`; and at once `unsupported_parameter` for word times of a translation. The
 * file streams from disk.
 */
export function transcribeRemotely({ server, apiKey, request, signal }: RemoteOptions): Transcriber {
  const route = request.task === 'translate' ? 'translations' : 'transcriptions';
  if (request.task === 'translate' && request.wordTimestamps) {
    throw new AppError(
      'unsupported_parameter',
      'A server gives no word times of a translation; leave --word-timestamps or --server out.',
    );
  }
  const url = routeOf(server, `audio/${route}`);
  return async (path, format) => {
    const form = new FormData();
    form.append('model', request.model ?? 'whisper-1');
    form.append('response_format', RESPONSE_FORMATS[format]);
    if (request.language !== undefined) form.append('language', request.language);
    if (request.prompt !== undefined) form.append('prompt', request.prompt);
    if (request.temperature !== undefined) form.append('temperature', String(request.temperature));
    if (request.beamSize !== undefined) form.append('beam_size', String(request.beamSize));
    for (const granularity of request.wordTimestamps ? GRANULARITIES : [])
      form.append('timestamp_granularities[]', granularity);
    form.append('file', await openAsBlob(path), basename(path));
    const headers: Record<string, string> = apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` };
    const answer = await postForm(url, { form, headers, signal }).catch((cause: unknown) => {
      throw signal.aborted ? abortError(signal) : unreachable(server, cause);
    });
    if (answer.status !== 200) throw serverError(answer.status, answer.body);
    return answerOf(answer.body, format);
  };
}

function answerOf(body: string, format: Format): Answer {
  if (format !== 'json') return { body, text: format === 'text' ? body.trim() : undefined };
  const transcript = JSON.parse(body) as { text: string };
  return { body: `${JSON.stringify(transcript, null, 2)}\n`, text: transcript.text };
}

/** The error that a server answered with, as if it were ours. */
export function serverError(status: number, body: string): AppError {
  try {
    return namedError((JSON.parse(body) as { error: NamedError }).error);
  } catch (cause) {
    return new AppError(
      'server_unreachable',
      `The server answered ${status} and no error that can be read; is it Percept?`,
      { cause },
    );
  }
}
