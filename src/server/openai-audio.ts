/** OpenAI's POST /v1/audio/transcriptions and /v1/audio/translations. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { AppError } from '../base/errors.ts';
import {
  GRANULARITIES,
  type Granularity,
  toSrt,
  toText,
  toVerboseJson,
  toVtt,
  usageOf,
} from '../speech/formats.ts';
import type { SpeechRequest } from '../speech/service.ts';
import type { SpeechTask, Transcript } from '../speech/transcript.ts';
import { createEventStream, type EventStream } from './event-stream.ts';
import { booleanField, joinObjectField, keepAliveField, numberField, parseForm } from './form.ts';
import { reportError } from './reply-error.ts';
import { requestSignal } from './request-signal.ts';
import type { Services } from './services.ts';
import { sendDeltas, sendDone } from './transcript-stream.ts';
import type { Upload } from './uploads.ts';
import { withUpload } from './with-upload.ts';

const RESPONSE_FORMATS = ['json', 'text', 'srt', 'verbose_json', 'vtt'] as const;
type ResponseFormat = (typeof RESPONSE_FORMATS)[number];

const sharedFields = {
  model: z
    .string()
    .min(1)
    .describe('A model of this server, such as whisper-base-int8, or whisper-1 for the default.'),
  prompt: z.string().max(10_000).optional().describe('Words or a text whose style and spelling to follow.'),
  response_format: z
    .enum(RESPONSE_FORMATS, { error: `expected one of ${RESPONSE_FORMATS.join(', ')}` })
    .default('json'),
  temperature: numberField({ min: 0, max: 1 })
    .optional()
    .describe('0 or left out: retried at rising temperatures when a result looks wrong.'),
  keep_alive: keepAliveField()
    .optional()
    .describe('How long the model stays loaded: -1, 0, seconds or "5m". Percept only.'),
  beam_size: numberField({ min: 1, max: 20, whole: true })
    .optional()
    .describe('Hypotheses followed at once. Percept only.'),
};

export const transcriptionForm = z.object({
  ...sharedFields,
  language: z.string().min(1).optional().describe('ISO 639-1 code, such as en; left out: detected.'),
  timestamp_granularities: z
    .array(z.enum(GRANULARITIES, { error: 'expected segment or word' }))
    .optional()
    .describe('With verbose_json: give the times of segments, of words, or of both; left out: of segments.'),
  stream: booleanField().optional().describe('Send the text as server-sent events while it is heard.'),
  include: z.array(z.string()).optional(),
  chunking_strategy: z.string().optional().describe('auto, or a JSON object of type server_vad.'),
});

export const translationForm = z.object(sharedFields);

export function registerOpenaiAudio(app: FastifyInstance, services: Services): void {
  app.post('/v1/audio/transcriptions', {
    config: { form: transcriptionForm, summary: 'Transcribe a recording' },
    handler: (request, reply) => answer(request, reply, { services, task: 'transcribe' }),
  });
  app.post('/v1/audio/translations', {
    config: { form: translationForm, summary: 'Translate a recording into English' },
    handler: (request, reply) => answer(request, reply, { services, task: 'translate' }),
  });
}

interface Context {
  readonly services: Services;
  readonly task: SpeechTask;
}

async function answer(request: FastifyRequest, reply: FastifyReply, context: Context): Promise<FastifyReply> {
  const { services, task } = context;
  const signal = requestSignal(request, reply);
  let events: EventStream | undefined;
  try {
    const { transcript, form } = await withUpload(
      request,
      { services, fileField: 'file', signal },
      async (upload) => {
        const { wanted, form, isStreamed } = parseRequest(upload, task);
        await services.speech.check(wanted);
        if (isStreamed) events = createEventStream(reply);
        const onEvent = events === undefined ? undefined : sendDeltas(events);
        return {
          transcript: await services.speech.transcribe(upload.path, wanted, { signal, onEvent }),
          form,
        };
      },
    );
    if (events === undefined) return send(reply, transcript, form);
    sendDone(events, transcript);
  } catch (error) {
    if (!events?.isOpen) throw error;
    events.send(reportError(error, request).body, 'error');
  } finally {
    events?.close();
  }
  return reply;
}

interface ParsedRequest {
  readonly wanted: SpeechRequest;
  readonly form: AnswerForm;
  readonly isStreamed: boolean;
}

interface AnswerForm {
  readonly format: ResponseFormat;
  /** Undefined: of segments. */
  readonly granularities: readonly Granularity[] | undefined;
}

function parseRequest(upload: Upload, task: SpeechTask): ParsedRequest {
  const form =
    task === 'translate'
      ? { ...parseForm(upload.fields, translationForm), language: undefined }
      : parseTranscription(upload);
  const granularities = 'timestamp_granularities' in form ? form.timestamp_granularities : undefined;
  const wanted: SpeechRequest = {
    model: form.model,
    task,
    language: form.language,
    prompt: form.prompt,
    temperature: form.temperature,
    beamSize: form.beam_size,
    keepAliveSeconds: form.keep_alive,
    vad: 'chunking_strategy' in form ? parseChunking(form.chunking_strategy) : undefined,
    wordTimestamps: granularities?.includes('word') ?? false,
  };
  return {
    wanted,
    form: { format: form.response_format, granularities },
    isStreamed: 'stream' in form && form.stream === true,
  };
}

function parseTranscription(upload: Upload) {
  const form = parseForm(joinObjectField(upload.fields, 'chunking_strategy'), transcriptionForm);
  if (form.timestamp_granularities !== undefined && form.response_format !== 'verbose_json') {
    throw new AppError('invalid_request', 'timestamp_granularities needs response_format=verbose_json.', {
      param: 'timestamp_granularities',
    });
  }
  if (form.stream === true && form.response_format !== 'json' && form.response_format !== 'text') {
    throw new AppError(
      'invalid_request',
      `A stream has no form ${form.response_format}; ask for response_format=json, or leave "stream" out.`,
      { param: 'stream' },
    );
  }
  if (form.include !== undefined)
    throw new AppError(
      'unsupported_parameter',
      'Token log probabilities are not available; leave "include" out.',
      { param: 'include' },
    );
  return form;
}

const serverVad = z.strictObject({
  type: z.literal('server_vad'),
  threshold: z.number().min(0).max(1).optional(),
  prefix_padding_ms: z.number().min(0).max(10_000).optional(),
  silence_duration_ms: z.number().min(0).max(60_000).optional(),
});

/** `auto` is what Percept does anyway; an object tunes its voice activity detection. */
function parseChunking(text: string | undefined): SpeechRequest['vad'] {
  if (text === undefined || text === 'auto') return undefined;
  try {
    const given = serverVad.parse(JSON.parse(text));
    return {
      enabled: true,
      ...(given.threshold === undefined ? {} : { threshold: given.threshold }),
      ...(given.prefix_padding_ms === undefined ? {} : { padMs: given.prefix_padding_ms }),
      ...(given.silence_duration_ms === undefined ? {} : { minSilenceMs: given.silence_duration_ms }),
    };
  } catch (cause) {
    throw new AppError(
      'invalid_request',
      'The field "chunking_strategy" is not valid: expected "auto", or a JSON object {"type": "server_vad", "threshold": 0..1, "prefix_padding_ms", "silence_duration_ms"}.',
      { param: 'chunking_strategy', cause },
    );
  }
}

function send(
  reply: FastifyReply,
  transcript: Transcript,
  { format, granularities }: AnswerForm,
): FastifyReply {
  const plain = (body: string, type: string) => reply.type(`${type}; charset=utf-8`).send(body);
  switch (format) {
    case 'json':
      return reply.send({ text: transcript.text, usage: usageOf(transcript) });
    case 'verbose_json':
      return reply.send(toVerboseJson(transcript, granularities));
    case 'text':
      return plain(toText(transcript), 'text/plain');
    case 'srt':
      return plain(toSrt(transcript), 'text/plain');
    case 'vtt':
      return plain(toVtt(transcript), 'text/vtt');
    default:
      throw new Error(`Unknown format ${format satisfies never}.`);
  }
}
