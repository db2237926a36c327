/** GET /v1/templates and /v1/templates/{id}/schema: what summaries can be asked for. */
import type { FastifyInstance } from 'fastify';
import { AppError } from '../base/errors.ts';
import type { Services } from './services.ts';

export function registerTemplates(app: FastifyInstance, { intelligence }: Services): void {
  if (intelligence === undefined) return;
  app.get('/v1/templates', { config: { summary: 'List the summary templates' } }, async () => ({
    templates: (await intelligence.templates()).map(({ id, name, description }) => ({
      template_id: id,
      name,
      description,
      schema_url: `/v1/templates/${id}/schema`,
    })),
  }));
  app.get<{ Params: { id: string } }>(
    '/v1/templates/:id/schema',
    { config: { summary: 'What a summary by a template obeys' } },
    async ({ params }, reply) =>
      reply
        .type('application/schema+json')
        .send(await intelligence.templateSchema(params.id).catch((error) => Promise.reject(asPath(error)))),
  );
}

/** In a request it is a field that names no template; here it is the path that leads nowhere. */
function asPath(error: unknown): unknown {
  const isMissing = error instanceof AppError && error.code === 'missing_template';
  return isMissing ? new AppError('not_found', error.message, { param: 'template_id' }) : error;
}
