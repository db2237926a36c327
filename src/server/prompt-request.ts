/** What the routes that take a prompt in place of a conversation share. */
import { z } from 'zod';
import type { GenerateRequest, Message } from '../language/generation.ts';
import { MAX_TOKENS } from './chat-request.ts';
import { keepAlive, numberBetween, optional, wholeNumberBetween } from './json-body.ts';

/** Fields of both routes that are Percept's own. */
export const promptFields = {
  prompt: z.string().min(1),
  system: optional(z.string(), 'What the model is told before the prompt.'),
  model: optional(z.string().min(1), 'A language model of this server; left out: the configured default.'),
  seed: optional(z.int(), 'Equal seeds and equal requests give equal answers.'),
  thinking: optional(z.boolean(), 'Whether the model thinks before it answers, if it can.'),
  keep_alive: keepAlive(),
  temperature: optional(
    numberBetween(0, 2),
    'What the configuration or the model says when left out, else 0.7.',
  ),
  max_tokens: optional(
    wholeNumberBetween(1, MAX_TOKENS),
    'What the configuration or the model says when left out, else 2048 or what the context leaves.',
  ),
};

const promptForm = z.object(promptFields);

export function toPromptRequest(form: z.output<typeof promptForm>): GenerateRequest {
  const prompt: Message = { role: 'user', content: form.prompt };
  return {
    model: form.model,
    messages: form.system === undefined ? [prompt] : [{ role: 'system', content: form.system }, prompt],
    settings: { temperature: form.temperature, maxTokens: form.max_tokens },
    seed: form.seed,
    thinking: form.thinking,
    keepAliveSeconds: form.keep_alive,
  };
}
