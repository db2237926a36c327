/** OpenAI's events of a transcription under way: `transcript.text.delta`, at last `transcript.text.done`. */
import { tokenUsageOf } from '../speech/formats.ts';
import { createTextDeltas } from '../speech/text-deltas.ts';
import type { TranscribeEvent, Transcript } from '../speech/transcript.ts';
import type { EventStream } from './event-stream.ts';

/** Sends what is new with each segment. The answer begins with the work, so what is wrong with the recording is a plain error. */
export function sendDeltas(events: EventStream): (event: TranscribeEvent) => void {
  const deltaOf = createTextDeltas();
  return (event) => {
    if (event.type === 'started') events.open();
    if (event.type !== 'segment') return;
    const delta = deltaOf(event.segment.text);
    if (delta !== '') events.send({ type: 'transcript.text.delta', delta });
  };
}

/** The stream then just ends: in OpenAI's description no `[DONE]` follows a transcription. */
export function sendDone(events: EventStream, transcript: Transcript): void {
  events.send({
    type: 'transcript.text.done',
    text: transcript.text,
    usage: tokenUsageOf(transcript),
  });
}
