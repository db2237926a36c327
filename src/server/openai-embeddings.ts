/** OpenAI's POST /v1/embeddings, for texts and, as data URLs, images. */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { AppError } from '../base/errors.ts';
import type { Embeddings, VisionService } from '../vision/service.ts';
import { isImage } from './image-field.ts';
import { type ImageLimits, oneOrMany, readImages, requireTexts, visionFields } from './image-request.ts';
import { inTurn } from './in-turn.ts';
import { optional, parseJson } from './json-body.ts';

const embeddingsForm = z.strictObject({
  input: z
    .union([z.string(), z.array(z.string()).min(1).max(2048)], {
      error: 'expected a text or a list of texts; token ids are not taken',
    })
    .describe('Texts; images as data URLs.'),
  encoding_format: optional(z.enum(['float', 'base64'])),
  dimensions: optional(z.int().min(1), 'Refused unless it is the length that the model gives.'),
  user: optional(z.string()),
  ...visionFields,
});

export function registerOpenaiEmbeddings(
  app: FastifyInstance,
  vision: VisionService,
  limits: ImageLimits,
): void {
  app.post('/v1/embeddings', {
    bodyLimit: limits.maxRequestBytes,
    config: { body: embeddingsForm, summary: 'Embeddings of texts, or of images as data URLs' },
    handler: (request, reply) =>
      inTurn(vision, { request, reply }, async (signal) => {
        const form = parseJson(request, embeddingsForm);
        const embedded = await embed(vision, { form, limits, signal });
        const wanted = form.dimensions ?? embedded.dimension;
        if (wanted !== embedded.dimension)
          throw new AppError(
            'invalid_request',
            `${embedded.model} gives embeddings of ${embedded.dimension} numbers, which cannot be cut to ${wanted}.`,
            { param: 'dimensions' },
          );
        return toAnswer(embedded, form.encoding_format ?? 'float');
      }),
  });
}

interface Asked {
  readonly form: z.output<typeof embeddingsForm>;
  readonly limits: ImageLimits;
  readonly signal: AbortSignal;
}

type Embedded = Pick<Embeddings, 'embeddings' | 'dimension' | 'model' | 'tokens'>;

/** Texts and images in one list are embedded apart, and put back in their places. */
async function embed(vision: VisionService, { form, limits, signal }: Asked): Promise<Embedded> {
  const inputs = oneOrMany({ one: 'input', many: 'inputs' }, form.input, undefined);
  const texts = inputs.filter(({ value }) => !isImage(value));
  const pictures = inputs.filter(({ value }) => isImage(value));
  requireTexts(texts.length, limits);
  const images = readImages(pictures, limits);
  const asked = { model: form.model, keepAliveSeconds: form.keep_alive };
  const written = texts.length === 0 ? undefined : await vision.embedTexts({ ...asked, texts }, signal);
  const seen = images.length === 0 ? undefined : await vision.embedImages({ ...asked, images }, signal);
  const rows = { texts: written?.embeddings.values(), images: seen?.embeddings.values() };
  const { model, dimension } = (written ?? seen)!; // there is one input at least
  const embeddings = inputs.map(({ value }) => (isImage(value) ? rows.images : rows.texts)!.next().value!);
  return { model, dimension, tokens: written?.tokens ?? 0, embeddings };
}

function toAnswer({ embeddings, model, tokens }: Embedded, format: 'float' | 'base64') {
  const encode = (row: Float32Array) =>
    format === 'float'
      ? Array.from(row)
      : Buffer.from(row.buffer, row.byteOffset, row.byteLength).toString('base64');
  return {
    object: 'list',
    data: embeddings.map((row, index) => ({ object: 'embedding', index, embedding: encode(row) })),
    model,
    usage: { prompt_tokens: tokens, total_tokens: tokens },
  };
}
