/** POST /v1/embed/image and /v1/embed/text: one or many to embeddings of length 1. */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { Embeddings, VisionService } from '../vision/service.ts';
import { imageField } from './image-field.ts';
import {
  type ImageLimits,
  oneOrMany,
  readImages,
  requireTexts,
  toMilliseconds,
  visionFields,
} from './image-request.ts';
import { inTurn } from './in-turn.ts';
import { optional, parseJson } from './json-body.ts';

const imageForm = z.strictObject({
  image: optional(z.union([imageField, z.array(imageField).min(1)]), 'One image, or many.'),
  images: optional(z.array(imageField).min(1), 'Many, in place of `image`.'),
  ...visionFields,
});

const textForm = z.strictObject({
  text: optional(z.union([z.string(), z.array(z.string()).min(1)]), 'One text, or many.'),
  texts: optional(z.array(z.string()).min(1), 'Many, in place of `text`.'),
  ...visionFields,
});

export function registerEmbed(app: FastifyInstance, vision: VisionService, limits: ImageLimits): void {
  app.post('/v1/embed/image', {
    bodyLimit: limits.maxRequestBytes,
    config: { body: imageForm, summary: 'Embeddings of images' },
    handler: (request, reply) =>
      inTurn(vision, { request, reply }, async (signal) => {
        const form = parseJson(request, imageForm);
        const fields = oneOrMany({ one: 'image', many: 'images' }, form.image, form.images);
        const images = readImages(fields, limits);
        const asked = { model: form.model, images, keepAliveSeconds: form.keep_alive };
        return toAnswer(await vision.embedImages(asked, signal));
      }),
  });
  app.post('/v1/embed/text', {
    config: { body: textForm, summary: 'Embeddings of texts, in the same space as those of images' },
    handler: (request, reply) =>
      inTurn(vision, { request, reply }, async (signal) => {
        const form = parseJson(request, textForm);
        const texts = oneOrMany({ one: 'text', many: 'texts' }, form.text, form.texts);
        requireTexts(texts.length, limits);
        const asked = { model: form.model, texts, keepAliveSeconds: form.keep_alive };
        return toAnswer(await vision.embedTexts(asked, signal));
      }),
  });
}

function toAnswer({ embeddings, dimension, seconds, model }: Embeddings) {
  return {
    embeddings: embeddings.map((row) => Array.from(row)),
    dimension,
    inference_time_ms: toMilliseconds(seconds),
    model,
  };
}
