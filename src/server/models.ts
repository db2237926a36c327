/** GET /v1/models and /v1/models/{id} in OpenAI's form, and GET /models, the plain names of those that hear speech. */
import type { FastifyInstance } from 'fastify';
import { AppError } from '../base/errors.ts';
import type { LanguageModel } from '../language/service.ts';
import type { SpeechModel } from '../speech/service.ts';
import type { VisionModel } from '../vision/service.ts';
import type { Services } from './services.ts';

export function registerModels(app: FastifyInstance, { speech, language, vision }: Services): void {
  app.get('/v1/models', { config: { summary: 'List the models' } }, async () => {
    const heard = await speech.models();
    const written = (await language?.models()) ?? [];
    const seeing = (await vision?.models()) ?? [];
    return {
      object: 'list',
      data: [...heard, ...seeing, ...written].map(toOpenai),
      models: [
        ...heard.map(toSpeechBackend),
        ...seeing.map(toVisionBackend),
        ...written.map(toLanguageBackend),
      ],
    };
  });
  // A wildcard, since names of the hub hold a slash: /v1/models/Systran/faster-whisper-base.
  app.get<{ Params: { '*': string } }>(
    '/v1/models/*',
    { config: { summary: 'One model' } },
    async (request) => {
      const name = request.params['*'];
      return toOpenai(await speech.model(name).catch((error) => otherModel(name, error)));
    },
  );
  app.get('/models', { config: { summary: 'Names of the speech models' } }, async () => {
    const models = await speech.models();
    return models.map((model) => model.name);
  });

  /** A name that speech does not know may be that of another model; if it is none, speech's own error says more. */
  async function otherModel(name: string, notHeard: unknown): Promise<LanguageModel | VisionModel> {
    for (const service of [vision, language]) {
      if (service === undefined || !isUnknown(notHeard)) continue;
      try {
        return await service.model(name);
      } catch (error) {
        if (!isUnknown(error)) throw error;
      }
    }
    throw notHeard;
  }
}

function isUnknown(error: unknown): boolean {
  return error instanceof AppError && ['model_not_found', 'model_not_installed'].includes(error.code);
}

function toOpenai(model: SpeechModel | LanguageModel | VisionModel) {
  return {
    id: model.name,
    object: 'model',
    created: Math.floor((model.installedAt?.getTime() ?? 0) / 1000),
    owned_by: model.ownedBy,
  };
}

/** What clients of audio-intelligence services read. */
function toSpeechBackend(model: SpeechModel) {
  return {
    ...toBackend(model),
    backend_id: model.backend,
    default_variant: model.computeType,
    compute_type: model.computeType,
  };
}

/** How the weights are stored is part of a language model's name. */
function toLanguageBackend(model: LanguageModel) {
  return { ...toBackend(model), backend_id: model.engine, default_variant: null, compute_type: null };
}

function toVisionBackend(model: VisionModel) {
  const { computeType } = model;
  return { ...toBackend(model), backend_id: 'clip', default_variant: computeType, compute_type: computeType };
}

function toBackend(model: SpeechModel | LanguageModel | VisionModel) {
  return {
    name: model.name,
    description: model.description,
    capabilities: model.capabilities,
    memory: model.memoryBytes,
    is_installed: model.installedAt !== undefined,
  };
}
