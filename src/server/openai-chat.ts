/** OpenAI's POST /v1/chat/completions. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { LanguageService } from '../language/service.ts';
import { createChunkStream, toCompletion } from './chat-answer.ts';
import { chatForm, toGenerateRequest } from './chat-request.ts';
import { createEventStream, type EventStream } from './event-stream.ts';
import { parseJson } from './json-body.ts';
import { reportError } from './reply-error.ts';
import { requestSignal } from './request-signal.ts';

export function registerOpenaiChat(app: FastifyInstance, language: LanguageService): void {
  app.post('/v1/chat/completions', {
    config: { body: chatForm, summary: 'Continue a conversation: text, JSON by a schema, tool calls' },
    handler: (request, reply) => answer(request, reply, language),
  });
}

async function answer(
  request: FastifyRequest,
  reply: FastifyReply,
  language: LanguageService,
): Promise<FastifyReply> {
  const signal = requestSignal(request, reply);
  let events: EventStream | undefined;
  const turn = language.admit();
  try {
    const form = parseJson(request, chatForm);
    const wanted = toGenerateRequest(form);
    if (form.stream !== true) return reply.send(toCompletion(await language.generate(wanted, { signal })));
    events = createEventStream(reply);
    const includeUsage = form.stream_options?.include_usage === true;
    const chunks = createChunkStream(events, { model: form.model, includeUsage });
    chunks.finish(await language.generate(wanted, { signal, onEvent: chunks.onEvent }));
  } catch (error) {
    if (!events?.isOpen) throw error;
    // The SDKs throw the first event that has an `error`, whatever the event's name.
    events.send(reportError(error, request).body);
  } finally {
    turn.release();
    events?.close();
  }
  return reply;
}
