/** POST /function-call: a prompt and tools to calls whose arguments are valid. Nothing is executed. */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { GenerateRequest } from '../language/generation.ts';
import type { LanguageService } from '../language/service.ts';
import { toolChoiceForm, toolsForm, toToolChoice, toTools } from './chat-tools.ts';
import { requireWhole, toFigures } from './generation-figures.ts';
import { inTurn } from './in-turn.ts';
import { optional, parseJson } from './json-body.ts';
import { promptFields, toPromptRequest } from './prompt-request.ts';

const functionCallForm = z.strictObject({
  ...promptFields,
  tools: toolsForm.min(1),
  tool_choice: optional(toolChoiceForm),
  parallel_tool_calls: optional(
    z.boolean(),
    'Whether several tools may be called at once; true when left out.',
  ),
});

export function registerFunctionCall(app: FastifyInstance, language: LanguageService): void {
  app.post('/function-call', {
    config: { body: functionCallForm, summary: 'Calls of tools, with arguments that are valid' },
    handler: (request, reply) =>
      inTurn(language, { request, reply }, async (signal) => {
        const generation = await language.generate(toRequest(parseJson(request, functionCallForm)), {
          signal,
        });
        // Half a call is none, and text that was cut has no sign of it here.
        requireWhole(generation);
        return {
          tool_calls: generation.toolCalls.map(({ id, name, arguments: given }) => ({
            id,
            type: 'function',
            function: { name, arguments: given },
          })),
          content: generation.text === '' ? null : generation.text,
          ...toFigures(generation),
        };
      }),
  });
}

function toRequest(form: z.output<typeof functionCallForm>): GenerateRequest {
  const tools = toTools(form.tools);
  return {
    ...toPromptRequest(form),
    tools,
    toolChoice: toToolChoice(form.tool_choice, tools),
    parallelToolCalls: form.parallel_tool_calls,
  };
}
