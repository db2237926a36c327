/** POST /structured-generate: a prompt and a schema to a value that obeys it. */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { GenerateRequest, Message } from '../language/generation.ts';
import type { LanguageService } from '../language/service.ts';
import { MAX_TOKENS } from './chat-request.ts';
import { jsonObject } from './chat-tools.ts';
import { requireWhole, toFigures } from './generation-figures.ts';
import { keepAlive, numberBetween, optional, parseJson, wholeNumberBetween } from './json-body.ts';
import { requestSignal } from './request-signal.ts';

/** Fields of both routes that are Percept's own. */
export const promptFields = {
  prompt: z.string().min(1),
  system: optional(z.string(), 'What the model is told before the prompt.'),
  model: optional(z.string().min(1), 'A language model of this server; left out: the configured default.'),
  seed: optional(z.int(), 'Equal seeds and equal requests give equal answers.'),
  thinking: optional(z.boolean(), 'Whether the model thinks before it answers, if it can.'),
  keep_alive: keepAlive(),
};

const structuredForm = z.strictObject({
  ...promptFields,
  schema: z
    .union([jsonObject, z.boolean()], { error: 'expected a JSON Schema' })
    .describe('JSON Schema, 2020-12.'),
  temperature: optional(
    numberBetween(0, 2),
    'What the configuration or the model says when left out, else 0.7.',
  ),
  max_tokens: optional(
    wholeNumberBetween(1, MAX_TOKENS),
    'What the configuration or the model says when left out, else 2048 or what the context leaves.',
  ),
});

export function registerStructuredGenerate(app: FastifyInstance, language: LanguageService): void {
  app.post('/structured-generate', {
    config: { body: structuredForm, summary: 'A value that is valid by a JSON Schema' },
    async handler(request, reply) {
      const signal = requestSignal(request, reply);
      const turn = language.admit();
      try {
        const generation = await language.generate(toRequest(parseJson(request, structuredForm)), { signal });
        requireWhole(generation);
        return { value: generation.value, ...toFigures(generation) };
      } finally {
        turn.release();
      }
    },
  });
}

function toRequest(form: z.output<typeof structuredForm>): GenerateRequest {
  return {
    model: form.model,
    messages: toPromptMessages(form),
    output: { kind: 'schema', schema: form.schema },
    settings: {
      temperature: form.temperature,
      maxTokens: form.max_tokens,
    },
    seed: form.seed,
    thinking: form.thinking,
    keepAliveSeconds: form.keep_alive,
  };
}

export function toPromptMessages(form: {
  readonly prompt: string;
  readonly system: string | undefined;
}): readonly Message[] {
  const prompt: Message = { role: 'user', content: form.prompt };
  return form.system === undefined ? [prompt] : [{ role: 'system', content: form.system }, prompt];
}
