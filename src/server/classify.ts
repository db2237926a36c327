/** POST /v1/classify: images and labels to a ranking. */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { ClassifyRequest, VisionService } from '../vision/service.ts';
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
import { numberBetween, optional, parseJson, wholeNumberBetween } from './json-body.ts';

const MOST_LABELS = 1_000_000;
const MAX_SCALE = 10_000;

const classifyForm = z.strictObject({
  image: optional(imageField),
  images: optional(z.array(imageField).min(1), 'Many in place of `image`; the answer has `results`.'),
  prompts: z.array(z.string()).min(1).describe('Labels, or sentences that describe what may be seen.'),
  templates: optional(
    z.array(z.string()).min(1).max(1000),
    'Sentences with {} in the place of the label, whose embeddings are averaged: "a photo of a {}".',
  ),
  top_k: optional(wholeNumberBetween(1, MOST_LABELS), 'Most labels of an answer; all when left out.'),
  threshold: optional(numberBetween(0, 1), 'Least score; 0 when left out.'),
  logit_scale: optional(
    numberBetween(0, MAX_SCALE),
    'What cosines are multiplied by before the softmax; the model’s own when left out.',
  ),
  ...visionFields,
});

export function registerClassify(app: FastifyInstance, vision: VisionService, limits: ImageLimits): void {
  app.post('/v1/classify', {
    bodyLimit: limits.maxRequestBytes,
    config: { body: classifyForm, summary: 'Rank labels by how well they describe an image' },
    handler: (request, reply) =>
      inTurn(vision, { request, reply }, async (signal) => {
        const form = parseJson(request, classifyForm);
        const { rankings, seconds, model } = await vision.classify(toRequest(form, limits), signal);
        const figures = { inference_time_ms: toMilliseconds(seconds), model };
        if (form.images === undefined) return { classifications: rankings[0]!, ...figures };
        return { results: rankings.map((classifications) => ({ classifications })), ...figures };
      }),
  });
}

function toRequest(form: z.output<typeof classifyForm>, limits: ImageLimits): ClassifyRequest {
  const templates = form.templates ?? [];
  requireTexts(form.prompts.length * Math.max(1, templates.length), limits);
  const images = oneOrMany({ one: 'image', many: 'images' }, form.image, form.images);
  return {
    model: form.model,
    images: readImages(images, limits),
    labels: form.prompts.map((value, index) => ({ name: `prompts[${index}]`, value })),
    templates,
    topK: form.top_k,
    threshold: form.threshold,
    logitScale: form.logit_scale,
    keepAliveSeconds: form.keep_alive,
  };
}
