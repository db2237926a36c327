/** One live session inside a model process: listens and writes at the same time. */
import { throwIfAborted } from '../base/abort.ts';
import type { LiveEvent, LiveInput, ResolvedLiveSettings } from './live.ts';
import type { SpeechDetector } from './silero.ts';
import { UtteranceListener } from './utterance-listener.ts';
import { UtteranceText, type UtteranceTextParts } from './utterance-text.ts';

export interface LiveSessionParts extends Pick<UtteranceTextParts, 'recognise' | 'isFree'> {
  readonly settings: ResolvedLiveSettings;
  readonly detector: SpeechDetector;
  readonly signal: AbortSignal;
  emit(event: LiveEvent): void;
}

/**
 * Resolves when the input has ended and every utterance has its text. Input is taken as fast as it can be listened to, unless too many
 * utterances wait for their text.
 */
export async function runLiveSession(
  input: AsyncIterable<LiveInput<ResolvedLiveSettings>>,
  parts: LiveSessionParts,
): Promise<void> {
  const ended = new AbortController();
  const end = () => ended.abort(parts.signal.reason);
  parts.signal.addEventListener('abort', end, { once: true });
  const text: UtteranceText = new UtteranceText({
    ...parts,
    signal: ended.signal,
    openUtterance: () => listener.open,
  });
  const listener = new UtteranceListener(parts.settings, {
    ...parts,
    onUtterance: (utterance) => text.add(utterance),
  });

  async function listen(): Promise<void> {
    for await (const item of input) {
      await listener.take(item);
      text.notify();
      await text.room();
      throwIfAborted(ended.signal);
    }
    await listener.finish();
    text.end();
  }

  try {
    await Promise.all([listen(), text.run()]);
  } finally {
    // Whichever has failed, the other stops.
    end();
    parts.signal.removeEventListener('abort', end);
  }
}
