/** One attempt at one task: its recording comes from the store, the pipeline runs over it. */
import { abortError } from '../base/abort.ts';
import { AppError, toAppError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { Work } from '../jobs/attempt.ts';
import type { Pipeline } from './pipeline.ts';
import type { Recordings } from './recordings/recordings.ts';

export interface RecordingWorkParts {
  readonly pipeline: Pipeline;
  readonly recordings: Recordings;
  readonly logger: Logger;
}

export function workOnRecording({ pipeline, recordings, logger }: RecordingWorkParts): Work {
  return async (task, { signal, update }) => {
    const recording = await recordings.open(task.id, signal);
    try {
      return await pipeline.run(task.input, {
        source: recording.path,
        scratch: recording.workDirectory,
        earlier: task.output,
        signal,
        update,
      });
    } catch (thrown) {
      throw signal.aborted ? abortError(signal) : withoutTheInside(thrown, { task: task.id, logger });
    } finally {
      await recording.close();
    }
  };
}

/** What clients may read in the status of the task: a mistake of ours stands in the log alone. */
function withoutTheInside(
  thrown: unknown,
  { task, logger }: { readonly task: string; readonly logger: Logger },
): AppError {
  const error = toAppError(thrown);
  if (error.code !== 'internal') return error;
  logger.error({ task, err: error.cause ?? error }, 'the pipeline failed');
  return new AppError(
    'internal',
    `The pipeline failed. The log of the worker has the reason under task ${task}.`,
  );
}
