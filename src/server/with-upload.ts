import type { FastifyRequest } from 'fastify';
import type { Services } from './services.ts';
import { receiveUpload, type Upload } from './uploads.ts';

/**
 * Takes a turn, receives the upload, does the work; the turn is given back and the file is gone before the answer is sent, on
 * every path. A full queue is answered before the upload is read.
 */
export async function withUpload<T>(
  request: FastifyRequest,
  context: { readonly services: Services; readonly fileField: string; readonly signal: AbortSignal },
  work: (upload: Upload) => Promise<T>,
): Promise<T> {
  const { services, fileField, signal } = context;
  const { uploadDirectory: directory, maxUploadBytes } = services.options;
  const turn = services.speech.admit();
  try {
    const upload = await receiveUpload(request, { directory, maxUploadBytes, fileField, signal });
    try {
      return await work(upload);
    } finally {
      await upload.remove();
    }
  } finally {
    turn.release();
  }
}
