/** Which recordings are heard at once. */
import { SAMPLE_RATE } from '../../audio/pcm.ts';
import type { Sound } from '../../audio/sound.ts';
import { Turnstile } from '../../engine/turnstile.ts';

export interface Places {
  /** Opens a sound and uses it when there is a place for it; closes it. Rejects with the signal's error when it fires while others are heard. */
  hear<T>(work: Hearing<T>, signal: AbortSignal): Promise<T>;
}

export interface Hearing<T> {
  /** May be asked for twice. */
  open(): Promise<Sound>;
  use(sound: Sound): Promise<T>;
}

/** Enough to fill batches. Each needs tens of megabytes for what its layers see, so that more of them wait. */
const RECORDINGS_AT_ONCE = 4;
/** So that however many of hours come, short ones need not wait for them. */
const LONG_RECORDINGS_AT_ONCE = RECORDINGS_AT_ONCE - 1;
const LONG_SECONDS = 60;

export function createPlaces(): Places {
  const places = new Turnstile(RECORDINGS_AT_ONCE);
  const longPlaces = new Turnstile(LONG_RECORDINGS_AT_ONCE);
  return {
    async hear({ open, use }, signal) {
      let leaveLong: (() => void) | undefined;
      try {
        for (;;) {
          const leave = await places.enter(signal);
          try {
            const sound = await open();
            try {
              const isLong = sound.length > LONG_SECONDS * SAMPLE_RATE;
              if (isLong) leaveLong ??= longPlaces.enterNow();
              if (!isLong || leaveLong !== undefined) return await use(sound);
            } finally {
              sound.close();
            }
          } finally {
            leave();
          }
          // Decoded again rather than kept: decoding is fast, and any number may wait.
          leaveLong = await longPlaces.enter(signal);
        }
      } finally {
        leaveLong?.();
      }
    },
  };
}
