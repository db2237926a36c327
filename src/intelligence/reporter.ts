/** Tells how far a run is, without waiting for it, and ends the run when nobody takes it any more. */
import { throwIfAborted } from '../base/abort.ts';
import type { Json } from '../jobs/task.ts';

/** In their order; exactly as clients see them. */
export const STAGES = ['PREPROCESSING', 'PROCESSING_ASR', 'PROCESSING_LLM'] as const;
export type Stage = (typeof STAGES)[number];

export interface RunUpdate {
  readonly stage?: Stage;
  /** Of the stage, 0 to 1; never less than before in the same stage. */
  readonly progress?: number;
  readonly output?: Json;
}

export interface Reporter {
  /** Fires with the caller's, and with what an update threw. */
  readonly signal: AbortSignal;
  begin(stage: Stage): Promise<void>;
  /** Small steps are left out, and no more than one is on its way. */
  progress(share: number): void;
  tell(output: Json): Promise<void>;
  close(): void;
}

const STEP = 0.01;

export function openReporter(run: {
  readonly signal: AbortSignal;
  update(change: RunUpdate): Promise<void>;
}): Reporter {
  const stopped = new AbortController();
  const signal = AbortSignal.any([run.signal, stopped.signal]);
  let told = 0;
  let isOnItsWay = false;
  let last: Promise<void> = Promise.resolve();
  let isClosed = false;

  /** One after the other, so that none overtakes another. */
  function send(change: RunUpdate): Promise<void> {
    const sent = last.then(() => {
      throwIfAborted(signal);
      return run.update(change);
    });
    last = sent.catch(() => {});
    return sent;
  }

  return {
    signal,
    begin(stage) {
      told = 0;
      return send({ stage, progress: 0 });
    },
    progress(share) {
      if (isClosed || isOnItsWay || share < told + STEP) return;
      told = Math.min(1, share);
      isOnItsWay = true;
      send({ progress: told })
        .catch((thrown: unknown) => stopped.abort(thrown))
        .finally(() => {
          isOnItsWay = false;
        });
    },
    tell: (output) => send({ output }),
    close() {
      isClosed = true;
    },
  };
}
