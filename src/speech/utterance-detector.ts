/** Where utterances of speech begin and end, from the probability of speech in each frame as it comes. */
import { HYSTERESIS, QUIET_FRAMES, quietest } from './voice-activity.ts';

export interface DetectionSettings {
  /** Speech begins above this probability, 0 to 1. */
  readonly threshold: number;
  /** Sound before the first speech that belongs to the utterance. */
  readonly prefixMs: number;
  /** The utterance ends after so long a silence. */
  readonly silenceMs: number;
}

/** OpenAI's defaults of server_vad. */
export const DEFAULT_DETECTION: DetectionSettings = { threshold: 0.5, prefixMs: 300, silenceMs: 500 };

/** Frames counted from the detector's first. */
export type UtteranceChange =
  | { readonly type: 'started'; readonly frame: number }
  /** Speech ended before `speechEnd`, and the silence was long enough before `frame`. */
  | { readonly type: 'stopped'; readonly speechEnd: number; readonly frame: number }
  /** The utterance is too long: it ends before `frame`, and another begins there. */
  | { readonly type: 'cut'; readonly frame: number };

export interface UtteranceDetector {
  /** Takes the next frame's probability. */
  hear(probability: number): UtteranceChange | undefined;
  /** The utterance is over, whatever comes; the next frame may begin another. */
  end(): void;
  /** An utterance that is open goes on under the new settings. */
  configure(settings: DetectionSettings): void;
}

export interface UtteranceClock {
  readonly frameMs: number;
  readonly maxUtteranceMs: number;
}

/** A click or a cough is shorter: so many frames of speech, 96 ms, are waited for before an utterance is announced. */
export const START_FRAMES = 3;
/** The threshold of silence, where the threshold of speech leaves no room for the usual distance. */
const LOWEST_SILENCE = 0.01;

/**
 *   quiet -> speaking        START_FRAMES frames of speech since the first, without silence between them
 *   speaking -> quiet        silence for long enough, or `end`
 *   speaking -> speaking     too long: cut where it is quietest in the second half
 */
export function createUtteranceDetector(
  settings: DetectionSettings,
  clock: UtteranceClock,
): UtteranceDetector {
  let current = settings;
  const maxFrames = Math.floor(clock.maxUtteranceMs / clock.frameMs);
  let frame = 0;
  /** First frame of the utterance, or of what may become one. */
  let start: number | undefined;
  let isSpeaking = false;
  let speechFrames = 0;
  /** First frame of the silence that may end the utterance. */
  let silence: number | undefined;
  /** Of the utterance's frames, from `start`. */
  let probabilities: number[] = [];

  function end(): void {
    start = undefined;
    isSpeaking = false;
    speechFrames = 0;
    silence = undefined;
    probabilities = [];
  }

  function stop(): UtteranceChange {
    const speechEnd = silence!;
    end();
    return { type: 'stopped', speechEnd, frame };
  }

  function begin(): UtteranceChange | undefined {
    if (silence !== undefined) end();
    if (start === undefined || isSpeaking || speechFrames < START_FRAMES) return undefined;
    isSpeaking = true;
    return { type: 'started', frame: start };
  }

  function goOn(): UtteranceChange | undefined {
    if (silence !== undefined && (frame - silence) * clock.frameMs >= current.silenceMs) return stop();
    // A place can only be judged with the frames behind it.
    if (frame - start! <= maxFrames + QUIET_FRAMES) return undefined;
    if (silence !== undefined) return stop();
    const length = quietest(probabilities, Math.floor(maxFrames / 2), maxFrames);
    probabilities = probabilities.slice(length);
    start! += length;
    return { type: 'cut', frame: start! };
  }

  return {
    hear(probability) {
      const isSpeech = probability >= current.threshold;
      const isSilence = probability < Math.max(current.threshold - HYSTERESIS, LOWEST_SILENCE);
      if (isSpeech) {
        start ??= frame;
        silence = undefined;
        speechFrames += 1;
      } else if (isSilence && start !== undefined) silence ??= frame;
      if (start !== undefined) probabilities.push(probability);
      frame += 1;
      return isSpeaking ? goOn() : begin();
    },
    end,
    configure(settings) {
      current = settings;
    },
  };
}
