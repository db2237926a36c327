/** Which workers have been silent for a whole lease, by the clock of whoever looks: no two machines' times of day are ever compared. */
import type { Clock } from './clock.ts';

export interface Silence {
  /** To be called again and again with every running claim of the lane. Gives those whose count has stood still for a lease. */
  look(lane: string, claims: readonly Beating[]): readonly Beating[];
}

export interface Beating {
  readonly id: string;
  /** Of the claim. */
  readonly token: string;
  /** Grows with every beat. */
  readonly beats: number;
}

interface Seen {
  readonly beats: number;
  silentMs: number;
  lastLookMs: number;
}

/**
 * The most that the time between two looks counts for, as a share of the lease. A machine that slept for an hour would otherwise take every
 * worker on it for gone, though those slept as well and are about to beat.
 */
const LONGEST_STEP = 1 / 3;

export function watchSilence({
  clock,
  leaseMs,
}: {
  readonly clock: Clock;
  readonly leaseMs: number;
}): Silence {
  /** By lane, then by claim; only those that ran at the last look. */
  const lanes = new Map<string, Map<string, Seen>>();
  return {
    look(lane, claims) {
      const before = lanes.get(lane);
      const now = clock.elapsed();
      const seen = new Map<string, Seen>();
      for (const { token, beats } of claims) {
        const known = before?.get(token);
        if (known === undefined || known.beats !== beats) {
          seen.set(token, { beats, silentMs: 0, lastLookMs: now });
          continue;
        }
        known.silentMs += Math.min(now - known.lastLookMs, leaseMs * LONGEST_STEP);
        known.lastLookMs = now;
        seen.set(token, known);
      }
      lanes.set(lane, seen);
      // Three thirds of a lease may add up to a little less than it.
      return claims.filter(({ token }) => seen.get(token)!.silentMs >= leaseMs - 1e-6);
    },
  };
}
