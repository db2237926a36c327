/** GET /v1/models and /v1/models/{id} in OpenAI's form, and GET /models, the plain names. */
import type { FastifyInstance } from 'fastify';
import type { SpeechModel } from '../speech/service.ts';
import type { Services } from './services.ts';

export function registerModels(app: FastifyInstance, { speech }: Services): void {
  app.get('/v1/models', { config: { summary: 'List the models' } }, async () => {
    const models = await speech.models();
    return { object: 'list', data: models.map(toOpenai), models: models.map(toBackend) };
  });
  // A wildcard, since names of the hub hold a slash: /v1/models/Systran/faster-whisper-base.
  app.get<{ Params: { '*': string } }>(
    '/v1/models/*',
    { config: { summary: 'One model' } },
    async (request) => toOpenai(await speech.model(request.params['*'])),
  );
  app.get('/models', { config: { summary: 'Names of the speech models' } }, async () => {
    const models = await speech.models();
    return models.map((model) => model.name);
  });
}

function toOpenai(model: SpeechModel) {
  return {
    id: model.name,
    object: 'model',
    created: Math.floor((model.installedAt?.getTime() ?? 0) / 1000),
    owned_by: model.ownedBy,
  };
}

/** What clients of audio-intelligence services read. */
function toBackend(model: SpeechModel) {
  return {
    backend_id: model.backend,
    name: model.name,
    default_variant: model.computeType,
    description: model.description,
    capabilities: model.capabilities,
    compute_type: model.computeType,
    memory: model.memoryBytes,
    is_installed: model.installedAt !== undefined,
  };
}
