/** POST /structured-generate: a prompt and a schema to a value that obeys it. */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { GenerateRequest } from '../language/generation.ts';
import type { LanguageService } from '../language/service.ts';
import { jsonObject } from './chat-tools.ts';
import { requireWhole, toFigures } from './generation-figures.ts';
import { inTurn } from './in-turn.ts';
import { parseJson } from './json-body.ts';
import { promptFields, toPromptRequest } from './prompt-request.ts';

const structuredForm = z.strictObject({
  ...promptFields,
  schema: z
    .union([jsonObject, z.boolean()], { error: 'expected a JSON Schema' })
    .describe('JSON Schema, 2020-12.'),
});

export function registerStructuredGenerate(app: FastifyInstance, language: LanguageService): void {
  app.post('/structured-generate', {
    config: { body: structuredForm, summary: 'A value that is valid by a JSON Schema' },
    handler: (request, reply) =>
      inTurn(language, { request, reply }, async (signal) => {
        const generation = await language.generate(toRequest(parseJson(request, structuredForm)), { signal });
        requireWhole(generation);
        return { value: generation.value, ...toFigures(generation) };
      }),
  });
}

function toRequest(form: z.output<typeof structuredForm>): GenerateRequest {
  return { ...toPromptRequest(form), output: { kind: 'schema', schema: form.schema } };
}
