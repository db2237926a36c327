/** The routes of language models, where there are any. */
import type { FastifyInstance } from 'fastify';
import { registerFunctionCall } from './function-call.ts';
import { registerOpenaiChat } from './openai-chat.ts';
import type { Services } from './services.ts';
import { registerStructuredGenerate } from './structured-generate.ts';

export function registerLanguage(app: FastifyInstance, { language }: Services): void {
  if (language === undefined) return;
  registerOpenaiChat(app, language);
  registerStructuredGenerate(app, language);
  registerFunctionCall(app, language);
}
