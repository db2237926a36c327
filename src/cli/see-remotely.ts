/** Vision by a running server, through the same API that everyone uses. */
import { json } from 'node:stream/consumers';
import type { RankedLabel } from '../vision/ranking.ts';
import type { Embeddings, Named, VisionService } from '../vision/service.ts';
import { askServer, type RemoteServer } from './ask-server.ts';

/** What a command needs of whoever looks. */
export type Seer = Pick<VisionService, 'classify' | 'embedImages' | 'embedTexts'>;

interface Answer {
  readonly model: string;
  readonly inference_time_ms: number;
}

interface ClassifyAnswer extends Answer {
  readonly results: readonly { readonly classifications: readonly RankedLabel[] }[];
}

interface EmbedAnswer extends Answer {
  readonly embeddings: readonly (readonly number[])[];
  readonly dimension: number;
}

/** Throws the server's own error, or `server_unreachable`. */
export function seeRemotely(remote: RemoteServer): Seer {
  const ask = async <T extends Answer>(route: string, body: object, signal: AbortSignal): Promise<T> =>
    askServer(remote, route)(body, signal, async (answer) => (await json(answer.body)) as T);
  return {
    async classify({ model, images, labels, templates, topK, threshold }, signal) {
      const body = {
        model,
        images: encoded(images),
        prompts: labels.map(({ value }) => value),
        ...(templates.length > 0 ? { templates } : {}),
        top_k: topK,
        threshold,
      };
      const answer = await ask<ClassifyAnswer>('classify', body, signal);
      const rankings = answer.results.map(({ classifications }) => classifications);
      return { ...figuresOf(answer), images: images.length, rankings };
    },
    async embedImages({ model, images }, signal) {
      const answer = await ask<EmbedAnswer>('embed/image', { model, images: encoded(images) }, signal);
      return toEmbeddings(answer, images.length);
    },
    async embedTexts({ model, texts }, signal) {
      const body = { model, texts: texts.map(({ value }) => value) };
      return toEmbeddings(await ask<EmbedAnswer>('embed/text', body, signal), 0);
    },
  };
}

function encoded(images: readonly Named<Uint8Array>[]): string[] {
  return images.map(({ value }) =>
    Buffer.from(value.buffer, value.byteOffset, value.length).toString('base64'),
  );
}

function figuresOf({ model, inference_time_ms }: Answer) {
  // A server keeps its counts to itself.
  return { model, seconds: inference_time_ms / 1000, texts: { hits: 0, misses: 0 } };
}

function toEmbeddings(answer: EmbedAnswer, images: number): Embeddings {
  const embeddings = answer.embeddings.map((row) => Float32Array.from(row));
  return { ...figuresOf(answer), images, embeddings, dimension: answer.dimension, tokens: 0 };
}
