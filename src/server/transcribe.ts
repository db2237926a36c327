/** POST /transcribe: the short form, one text with its language and how long it took. */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { numberField, parseForm } from './form.ts';
import { requestSignal } from './request-signal.ts';
import type { Services } from './services.ts';
import { withUpload } from './with-upload.ts';

export const transcribeForm = z.object({
  model_size: z
    .string()
    .min(1)
    .optional()
    .describe('tiny, base, small ... or any model of this server; left out: the default.'),
  language: z.string().min(1).optional().describe('ISO 639-1 code; left out: detected.'),
  temperature: numberField({ min: 0, max: 1 }).optional(),
  beam_size: numberField({ min: 1, max: 20, whole: true }).optional(),
});

export function registerTranscribe(app: FastifyInstance, services: Services): void {
  app.post('/transcribe', {
    config: { form: transcribeForm, fileField: 'audio', summary: 'Transcribe a recording, short form' },
    async handler(request, reply) {
      const signal = requestSignal(request, reply);
      const started = performance.now();
      const transcript = await withUpload(
        request,
        { services, fileField: 'audio', signal },
        async (upload) => {
          const form = parseForm(upload.fields, transcribeForm);
          const wanted = {
            model: form.model_size,
            task: 'transcribe',
            language: form.language,
            temperature: form.temperature,
            beamSize: form.beam_size,
          } as const;
          await services.speech.check(wanted);
          return services.speech.transcribe(upload.path, wanted, { signal });
        },
      );
      return {
        text: transcript.text,
        language: transcript.language,
        language_probability: transcript.languageProbability,
        duration: transcript.durationSeconds,
        word_count: transcript.text.split(/\s+/).filter((word) => word !== '').length,
        processing_time: (performance.now() - started) / 1000,
      };
    },
  });
}
