/** A client of the server, as its own command line is one. */
import { openAsBlob } from 'node:fs';
import { basename } from 'node:path';
import { type FormAnswer, postForm } from '../src/cli/post-form.ts';

export interface TranscriptionForm {
  readonly path: string;
  /** All but the file, in the order to send. */
  readonly fields: readonly (readonly [string, string])[];
  readonly signal?: AbortSignal | undefined;
}

/** Rejects when the line breaks or the signal fires, not for a status. */
export async function postTranscription(url: string, wanted: TranscriptionForm): Promise<FormAnswer> {
  const { path, fields, signal = new AbortController().signal } = wanted;
  const form = new FormData();
  for (const [name, value] of fields) form.append(name, value);
  form.append('file', await openAsBlob(path), basename(path));
  return postForm(`${url}/v1/audio/transcriptions`, { form, headers: {}, signal });
}
