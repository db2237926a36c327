/** What a realtime client is sent, in OpenAI's words. */
import type { LiveEvent } from '../speech/live.ts';
import { ERROR_STATUS } from './error-status.ts';
import type { SessionSettings } from './realtime-events.ts';

export interface SessionIdentity {
  /** Unique, and part of the ids of its items and events. */
  readonly id: string;
  /** Unix time, in seconds. */
  readonly expiresAt: number;
}

/** An event without its `event_id`. */
export type ServerEvent = { readonly type: string } & Readonly<Record<string, unknown>>;

export interface EventError {
  readonly type: string;
  readonly code: string;
  readonly message: string;
  readonly param: string | null;
  /** The client's id for the event at fault. */
  readonly event_id: string | null;
}

export function sessionEvent(
  type: 'session.created' | 'session.updated',
  settings: SessionSettings,
  { id, expiresAt }: SessionIdentity,
): ServerEvent {
  const { model, language, prompt, sampleRate, detection } = settings;
  return {
    type,
    session: {
      type: 'transcription',
      object: 'realtime.transcription_session',
      id: `sess_${id}`,
      expires_at: expiresAt,
      audio: {
        input: {
          format: { type: 'audio/pcm', rate: sampleRate },
          transcription: {
            model,
            ...(language === undefined ? {} : { language }),
            ...(prompt === undefined ? {} : { prompt }),
          },
          turn_detection:
            detection === undefined
              ? null
              : {
                  type: 'server_vad',
                  threshold: detection.threshold,
                  prefix_padding_ms: detection.prefixMs,
                  silence_duration_ms: detection.silenceMs,
                },
        },
      },
    },
  };
}

const ITEM = 'conversation.item.input_audio_transcription';

export function liveEvent(event: LiveEvent, session: SessionIdentity): ServerEvent {
  switch (event.type) {
    case 'started':
      return {
        type: 'input_audio_buffer.speech_started',
        audio_start_ms: event.atMs,
        item_id: itemId(event.utterance, session),
      };
    case 'stopped':
      return {
        type: 'input_audio_buffer.speech_stopped',
        audio_end_ms: event.atMs,
        item_id: itemId(event.utterance, session),
      };
    case 'committed':
      return {
        type: 'input_audio_buffer.committed',
        item_id: itemId(event.utterance, session),
        previous_item_id: event.previous === undefined ? null : itemId(event.previous, session),
      };
    case 'cleared':
      return { type: 'input_audio_buffer.cleared' };
    case 'delta':
      return { type: `${ITEM}.delta`, ...contentOf(event.utterance, session), delta: event.text };
    case 'completed':
      return {
        type: `${ITEM}.completed`,
        ...contentOf(event.utterance, session),
        transcript: event.text,
        usage: { type: 'duration', seconds: event.seconds },
      };
    case 'failed': {
      const { code, message, param } = event.error;
      return {
        type: `${ITEM}.failed`,
        ...contentOf(event.utterance, session),
        error: { type: ERROR_STATUS[code].type, code, message, ...(param === undefined ? {} : { param }) },
      };
    }
    case 'refused':
      return errorEvent({
        type: 'invalid_request_error',
        code: 'invalid_request',
        message:
          'There is nothing to commit: no audio since the last commit, or with turn detection no speech.',
        param: null,
        event_id: event.ref ?? null,
      });
    default:
      return event satisfies never;
  }
}

export function errorEvent(error: EventError): ServerEvent {
  return { type: 'error', error };
}

/** An item is an utterance: one stretch of audio and its text. */
function itemId(utterance: number, { id }: SessionIdentity): string {
  return `item_${id}_${utterance}`;
}

function contentOf(utterance: number, session: SessionIdentity) {
  return { item_id: itemId(utterance, session), content_index: 0 };
}
