/** Adds up the wall time of named steps. */
export type Step = 'decodeAudio' | 'voiceActivity' | 'features' | 'encoder' | 'decoder';

export interface Stopwatch {
  add(step: Step, seconds: number): void;
  measureAsync<T>(step: Step, work: () => Promise<T>): Promise<T>;
  /** The same items; counts the time of waiting for each. */
  measureEach<T>(step: Step, items: AsyncGenerator<T>): AsyncGenerator<T>;
  /** Seconds of each step, and since the stopwatch was made. */
  read(): Record<Step | 'total', number>;
}

export function createStopwatch(now: () => number = () => performance.now()): Stopwatch {
  const start = now();
  const sums: Record<Step, number> = {
    decodeAudio: 0,
    voiceActivity: 0,
    features: 0,
    encoder: 0,
    decoder: 0,
  };
  const measureAsync: Stopwatch['measureAsync'] = async (step, work) => {
    const begin = now();
    try {
      return await work();
    } finally {
      sums[step] += (now() - begin) / 1000;
    }
  };
  return {
    measureAsync,
    async *measureEach(step, items) {
      for (;;) {
        const item = await measureAsync(step, () => items.next());
        if (item.done) return;
        yield item.value;
      }
    },
    add(step, seconds) {
      sums[step] += seconds;
    },
    read: () => ({ ...sums, total: (now() - start) / 1000 }),
  };
}
