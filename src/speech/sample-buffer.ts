/** The end of a stream of samples, addressed by their places in the whole stream. */
export interface SampleBuffer {
  /** The first sample that is still held, and the one behind the last. */
  readonly start: number;
  readonly end: number;
  append(samples: Float32Array): void;
  /** A copy of [from, to), as far as it is held. */
  copy(from: number, to: number): Float32Array;
  /** Drops what lies before `place`. */
  forget(place: number): void;
}

export function createSampleBuffer(): SampleBuffer {
  let held = new Float32Array(0);
  let start = 0;
  let end = 0;
  return {
    get start() {
      return start;
    },
    get end() {
      return end;
    },
    append(samples) {
      const count = end - start;
      if (count + samples.length > held.length) {
        // Doubled, so that a long turn in small bits is not copied with each of them.
        const grown = new Float32Array(2 * (count + samples.length));
        grown.set(held.subarray(0, count));
        held = grown;
      }
      held.set(samples, count);
      end += samples.length;
    },
    copy: (from, to) => held.slice(Math.max(0, from - start), Math.max(0, Math.min(to, end) - start)),
    forget(place) {
      const next = Math.max(start, Math.min(place, end));
      // Never more than once for as much as is kept, so that bits cost no more than their own length.
      if (next - start < (end - start) / 2) return;
      held = held.slice(next - start, end - start);
      start = next;
    },
  };
}
