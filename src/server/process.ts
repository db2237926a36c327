/** POST /v1/process: a recording is taken, and processed in the background. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { AppError } from '../base/errors.ts';
import type { ProcessRequest } from '../intelligence/service.ts';
import { DEFAULT_FEATURES, FEATURES } from '../intelligence/task-input.ts';
import { PRIORITIES } from '../jobs/task.ts';
import { booleanField, parseForm } from './form.ts';
import { requestSignal } from './request-signal.ts';
import type { Services } from './services.ts';
import { receiveUpload } from './uploads.ts';

export const processForm = z.object({
  features: z
    .array(z.enum(FEATURES, { error: `expected some of ${FEATURES.join(', ')}` }))
    .default([...DEFAULT_FEATURES])
    .describe('What the result is to hold.'),
  template_id: z
    .string()
    .min(1)
    .optional()
    .describe('Which summary: a name of GET /v1/templates. Required with summary.'),
  webhook_url: z.string().min(1).max(2048).optional().describe('Where the end of the task is told, signed.'),
  model: z.string().min(1).optional().describe('Speech model, in place of the configured one.'),
  language: z.string().min(1).optional().describe('Of the speech, such as en; left out: detected.'),
  word_timestamps: booleanField().optional().describe('Also give segments, and when each word was said.'),
  priority: z
    .enum(PRIORITIES, { error: `expected one of ${PRIORITIES.join(', ')}` })
    .default('normal')
    .describe('Which of the waiting tasks go first.'),
});

/** Keys are shown in logs and kept beside the task: something like a UUID is meant. */
const IDEMPOTENCY_KEY = /^[\x21-\x7e]{1,255}$/;

export function registerProcess(app: FastifyInstance, services: Services): void {
  const { intelligence, options } = services;
  if (intelligence === undefined) return;
  app.post('/v1/process', {
    config: { form: processForm, summary: 'Process a recording in the background' },
    async handler(request, reply) {
      const key = idempotencyKey(request);
      await intelligence.requireRoom(key);
      const upload = await receiveUpload(request, {
        directory: await intelligence.incoming(),
        maxUploadBytes: options.maxUploadBytes,
        fileField: 'file',
        signal: requestSignal(request, reply),
        checkFile: intelligence.checkFile,
      });
      try {
        const wanted = parseRequest(upload.fields);
        const task = await intelligence.accept(upload, wanted, key);
        return await reply.status(202).header('location', `/v1/status/${task.id}`).send({ task_id: task.id });
      } finally {
        await upload.remove();
      }
    },
  });
}

function parseRequest(fields: Parameters<typeof parseForm>[0]): ProcessRequest {
  const form = parseForm(fields, processForm);
  return {
    features: form.features,
    templateId: form.template_id ?? null,
    webhookUrl: form.webhook_url ?? null,
    speechModel: form.model ?? null,
    language: form.language ?? null,
    wordTimestamps: form.word_timestamps ?? null,
    priority: form.priority,
  };
}

function idempotencyKey({ headers }: FastifyRequest): string | undefined {
  const key = headers['idempotency-key'];
  if (key === undefined) return undefined;
  if (typeof key === 'string' && IDEMPOTENCY_KEY.test(key)) return key;
  throw new AppError(
    'invalid_request',
    'Idempotency-Key must be 1 to 255 visible ASCII characters, such as a UUID.',
    { param: 'Idempotency-Key' },
  );
}
