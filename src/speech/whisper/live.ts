/** A live session of a Whisper model: its utterances are heard as short recordings. */
import { soundOf } from '../../audio/sound.ts';
import type { LiveEvent, LiveInput, ResolvedLiveSettings } from '../live.ts';
import { runLiveSession } from '../live-session.ts';
import { createStopwatch } from '../stopwatch.ts';
import type { RecogniseRequest } from '../utterance-text.ts';
import { transcribe, type WhisperModel } from './transcribe.ts';
import type { Turns } from './turns.ts';

/** Input of the call `listen`; its streamed input is `LiveInput`, its events are `LiveEvent`s, and it has no output. */
export interface ListenInput {
  readonly settings: ResolvedLiveSettings;
}

export interface ListenContext {
  readonly chunks: AsyncIterable<LiveInput<ResolvedLiveSettings>>;
  /** Shared by the live sessions of the model. */
  readonly turns: Turns;
  readonly signal: AbortSignal;
  emit(event: LiveEvent): void;
}

export function listen(model: WhisperModel, input: ListenInput, context: ListenContext): Promise<void> {
  const { chunks, turns, signal, emit } = context;
  return runLiveSession(chunks, {
    settings: input.settings,
    detector: model.detector,
    signal,
    emit,
    isFree: () => turns.isFree,
    recognise: (samples, request) => turns.take(() => recognise(model, samples, request)),
  });
}

async function recognise(
  model: WhisperModel,
  samples: Float32Array,
  { options, isPartial, isSpeech, signal }: RecogniseRequest,
): Promise<string> {
  const { text } = await transcribe(soundOf(samples), model, {
    options: {
      ...options,
      // What is speech already is one window, and not to be cut again.
      ...(isSpeech ? { vad: { ...options.vad, enabled: false } } : {}),
      ...(isPartial ? { beamSize: 1, temperatures: [0] } : {}),
    },
    stopwatch: createStopwatch(),
    signal,
    emit: () => {},
  });
  return text;
}
