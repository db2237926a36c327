/** One attempt at one task: its recording comes from the store, the pipeline runs over it. */
import type { Work } from '../jobs/attempt.ts';
import type { Pipeline } from './pipeline.ts';
import type { Recordings } from './recordings/recordings.ts';

export function workOnRecording(parts: {
  readonly pipeline: Pipeline;
  readonly recordings: Recordings;
}): Work {
  const { pipeline, recordings } = parts;
  return async (task, { signal, update }) => {
    const recording = await recordings.open(task.id, signal);
    try {
      return await pipeline.run(task.input, {
        source: recording.path,
        scratch: recording.workDirectory,
        earlier: task.output,
        signal,
        update: async (change) => update(change),
      });
    } finally {
      await recording.close();
    }
  };
}
