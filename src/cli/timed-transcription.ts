import type { SpeechContext, SpeechRequest, SpeechService } from '../speech/service.ts';
import type { Transcript } from '../speech/transcript.ts';

export interface TimedTranscription {
  readonly transcript: Transcript;
  /** From the request to the transcript, through the model's process. */
  readonly seconds: number;
  /** From the request to the first segment; the whole time when nothing was said. */
  readonly firstTextSeconds: number;
}

/** One transcription with its times as whoever asks sees them. Throws as `transcribe` does. */
export async function timeTranscription(
  speech: Pick<SpeechService, 'transcribe'>,
  { path, request }: { readonly path: string; readonly request: SpeechRequest },
  context: SpeechContext,
): Promise<TimedTranscription> {
  const begun = performance.now();
  const since = () => (performance.now() - begun) / 1000;
  let firstTextSeconds: number | undefined;
  const transcript = await speech.transcribe(path, request, {
    signal: context.signal,
    onEvent: (event) => {
      if (event.type === 'segment') firstTextSeconds ??= since();
      context.onEvent?.(event);
    },
  });
  const seconds = since();
  return { transcript, seconds, firstTextSeconds: firstTextSeconds ?? seconds };
}
