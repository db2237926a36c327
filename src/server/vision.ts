/** The routes of models that see, where there are any. */
import type { FastifyInstance } from 'fastify';
import { registerClassify } from './classify.ts';
import { registerEmbed } from './embed.ts';
import { registerOpenaiEmbeddings } from './openai-embeddings.ts';
import type { Services } from './services.ts';

export function registerVision(app: FastifyInstance, { vision, options }: Services): void {
  if (vision === undefined) return;
  registerClassify(app, vision, options.images);
  registerEmbed(app, vision, options.images);
  registerOpenaiEmbeddings(app, vision, options.images);
}
