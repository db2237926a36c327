/** What a realtime client sends, in OpenAI's words: parsed once, here. */
import { z } from 'zod';
import { AppError } from '../base/errors.ts';
import { DEFAULT_DETECTION, type DetectionSettings } from '../speech/utterance-detector.ts';

/** The rates of `audio/pcm`: OpenAI's, and the one that the models hear. */
export const SAMPLE_RATES = [24_000, 16_000] as const;

/** Everything that a session can be told; the whole of it is `session` in the events. */
export interface SessionSettings {
  readonly model: string;
  readonly language: string | undefined;
  readonly prompt: string | undefined;
  readonly sampleRate: number;
  readonly detection: DetectionSettings | undefined;
}

export function defaultSettings(model: string): SessionSettings {
  return {
    model,
    language: undefined,
    prompt: undefined,
    sampleRate: SAMPLE_RATES[0],
    detection: DEFAULT_DETECTION,
  };
}

const serverVad = z.strictObject({
  type: z.literal('server_vad', { error: 'expected server_vad, or null for no turn detection' }),
  threshold: z.number().min(0).max(1).optional(),
  prefix_padding_ms: z.int().min(0).max(5000).optional(),
  silence_duration_ms: z.int().min(0).max(10_000).optional(),
  // There are no responses here to create or interrupt; clients send these all the same.
  create_response: z.boolean().optional(),
  interrupt_response: z.boolean().optional(),
  idle_timeout_ms: z.null().optional(),
});

const audioInput = z.strictObject({
  format: z
    .strictObject({
      type: z.literal('audio/pcm', { error: 'expected audio/pcm' }),
      rate: z.literal(SAMPLE_RATES, { error: `expected ${SAMPLE_RATES.join(' or ')}` }).optional(),
    })
    .optional(),
  transcription: z
    .strictObject({
      model: z.string().min(1).optional(),
      language: z.string().optional(),
      prompt: z.string().max(10_000).optional(),
    })
    .optional(),
  turn_detection: serverVad.nullable().optional(),
  noise_reduction: z.null({ error: 'noise reduction is not available; expected null' }).optional(),
});

const session = z.strictObject({
  type: z.literal('transcription', { error: 'expected transcription: there are no other sessions here' }),
  audio: z.strictObject({ input: audioInput.optional() }).optional(),
  include: z
    .array(z.never({ error: 'token log probabilities are not available' }))
    .nullable()
    .optional(),
});

const eventId = { event_id: z.string().max(512).optional() };

const clientEvent = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('session.update'), session, ...eventId }),
  z.strictObject({ type: z.literal('input_audio_buffer.append'), audio: z.string(), ...eventId }),
  z.strictObject({ type: z.literal('input_audio_buffer.commit'), ...eventId }),
  z.strictObject({ type: z.literal('input_audio_buffer.clear'), ...eventId }),
]);

export type ClientEvent =
  | { readonly type: 'update'; readonly session: z.output<typeof session> }
  | { readonly type: 'append'; readonly pcm: Uint8Array }
  | { readonly type: 'commit' }
  | { readonly type: 'clear' };

export interface ParsedEvent {
  /** The client's own id for the event, to be named in errors. */
  readonly eventId: string | undefined;
  /** Throws `invalid_request`. */
  read(): ClientEvent;
}

const KNOWN =
  'session.update, input_audio_buffer.append, input_audio_buffer.commit, input_audio_buffer.clear';

export function parseClientEvent(text: string): ParsedEvent {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    const error = new AppError('invalid_request', 'The message is not JSON.', { cause });
    return { eventId: undefined, read: () => raise(error) };
  }
  const id = (value as { event_id?: unknown } | null)?.event_id;
  return {
    eventId: typeof id === 'string' && id.length <= 512 ? id : undefined,
    read: () => readEvent(value),
  };
}

function readEvent(value: unknown): ClientEvent {
  const { success, data, error } = clientEvent.safeParse(value);
  if (!success) {
    const [issue] = error.issues;
    const param = issue?.path.join('.');
    if (param === 'type') {
      throw new AppError('invalid_request', `Unknown event type. Expected one of ${KNOWN}.`, { param });
    }
    const place = param ? `The field "${param}"` : 'The event';
    throw new AppError('invalid_request', `${place} is not valid: ${issue?.message}.`, {
      ...(param ? { param } : {}),
    });
  }
  switch (data.type) {
    case 'session.update':
      return { type: 'update', session: data.session };
    case 'input_audio_buffer.append':
      return { type: 'append', pcm: readAudio(data.audio) };
    case 'input_audio_buffer.commit':
      return { type: 'commit' };
    case 'input_audio_buffer.clear':
      return { type: 'clear' };
    default:
      return data satisfies never;
  }
}

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

/** Node's own decoder skips what is not base64. */
function readAudio(audio: string): Uint8Array {
  if (audio.length % 4 !== 0 || !BASE64.test(audio)) {
    throw new AppError('invalid_request', 'The field "audio" is not base64.', { param: 'audio' });
  }
  return wholeSamples(Buffer.from(audio, 'base64'));
}

/** Throws `invalid_request` for half a sample. */
export function wholeSamples(pcm: Uint8Array): Uint8Array {
  if (pcm.length % 2 === 0) return pcm;
  throw new AppError(
    'invalid_request',
    `The audio has ${pcm.length} bytes; expected an even number, as a sample has 16 bits.`,
    { param: 'audio' },
  );
}

/** Only what the update names changes. */
export function updatedSettings(before: SessionSettings, update: z.output<typeof session>): SessionSettings {
  const { format, transcription, turn_detection: vad } = update.audio?.input ?? {};
  // An empty text clears a field, as in OpenAI's own sessions.
  const text = (given: string | undefined, old: string | undefined) =>
    given === undefined ? old : given.trim() || undefined;
  return {
    model: transcription?.model ?? before.model,
    language: text(transcription?.language, before.language),
    prompt: text(transcription?.prompt, before.prompt),
    sampleRate: format?.rate ?? before.sampleRate,
    detection:
      vad === undefined ? before.detection : vad === null ? undefined : detectionOf(vad, before.detection),
  };
}

function detectionOf(
  vad: z.output<typeof serverVad>,
  before: DetectionSettings = DEFAULT_DETECTION,
): DetectionSettings {
  return {
    threshold: vad.threshold ?? before.threshold,
    prefixMs: vad.prefix_padding_ms ?? before.prefixMs,
    silenceMs: vad.silence_duration_ms ?? before.silenceMs,
  };
}

function raise(error: AppError): never {
  throw error;
}
