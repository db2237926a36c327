/** Where turns of speech begin and end, from the probability of speech in each frame as it comes. */
import { HYSTERESIS, QUIET_FRAMES, quietest } from './voice-activity.ts';

export interface TurnSettings {
  /** Speech begins above this probability, 0 to 1. */
  readonly threshold: number;
  /** Sound before the first speech that belongs to the turn. */
  readonly prefixMs: number;
  /** The turn ends after so long a silence. */
  readonly silenceMs: number;
}

/** OpenAI's defaults of server_vad. */
export const DEFAULT_TURNS: TurnSettings = { threshold: 0.5, prefixMs: 300, silenceMs: 500 };

/** Frames counted from the detector's first. */
export type TurnChange =
  | { readonly type: 'started'; readonly frame: number }
  /** Speech ended before `speechEnd`, and the silence was long enough before `frame`. */
  | { readonly type: 'stopped'; readonly speechEnd: number; readonly frame: number }
  /** The turn is too long: it ends before `frame`, and another begins there. */
  | { readonly type: 'cut'; readonly frame: number };

export interface TurnDetector {
  /** Takes the next frame's probability. */
  hear(probability: number): TurnChange | undefined;
  /** The turn is over, whatever comes; the next frame may begin another. */
  end(): void;
  /** A turn that is open goes on under the new settings. */
  configure(settings: TurnSettings): void;
}

export interface TurnClock {
  readonly frameMs: number;
  readonly maxTurnMs: number;
}

/** A click or a cough is shorter: so many frames of speech, 96 ms, are waited for before a turn is announced. */
export const START_FRAMES = 3;
/** The threshold of silence, where the threshold of speech leaves no room for the usual distance. */
const LOWEST_SILENCE = 0.01;

/**
 *   quiet -> speaking        START_FRAMES frames of speech since the first, without silence between them
 *   speaking -> quiet        silence for long enough, or `end`
 *   speaking -> speaking     too long: cut where it is quietest in the second half
 */
export function createTurnDetector(settings: TurnSettings, clock: TurnClock): TurnDetector {
  let current = settings;
  const maxFrames = Math.floor(clock.maxTurnMs / clock.frameMs);
  let frame = 0;
  /** First frame of the turn, or of what may become one. */
  let start: number | undefined;
  let isSpeaking = false;
  let speechFrames = 0;
  /** First frame of the silence that may end the turn. */
  let silence: number | undefined;
  /** Of the turn's frames, from `start`. */
  let probabilities: number[] = [];

  function end(): void {
    start = undefined;
    isSpeaking = false;
    speechFrames = 0;
    silence = undefined;
    probabilities = [];
  }

  function stop(): TurnChange {
    const speechEnd = silence!;
    end();
    return { type: 'stopped', speechEnd, frame };
  }

  function begin(): TurnChange | undefined {
    if (silence !== undefined) end();
    if (start === undefined || isSpeaking || speechFrames < START_FRAMES) return undefined;
    isSpeaking = true;
    return { type: 'started', frame: start };
  }

  function goOn(): TurnChange | undefined {
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
