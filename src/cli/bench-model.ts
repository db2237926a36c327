/** One model on all files, one at a time, round after round. */
import { toAppError } from '../base/errors.ts';
import { type FileFigures, fileFigures, type ModelFigures, modelFigures } from './bench-figures.ts';
import type { Failure } from './bench-report.ts';
import type { CliContext, SpeechApp } from './context.ts';
import { type Progress, startProgress } from './progress.ts';
import type { ReferencedFile } from './references.ts';
import { sumOf } from './statistics.ts';
import { type TimedTranscription, timeTranscription } from './timed-transcription.ts';

export interface BenchWork {
  readonly files: readonly ReferencedFile[];
  readonly rounds: number;
  /** Undefined: as configured. */
  readonly beamSize: number | undefined;
}

export interface BenchContext {
  readonly app: SpeechApp;
  readonly context: Pick<CliContext, 'stderr' | 'signal'>;
  readonly isQuiet: boolean;
  onFailure(failure: Failure): void;
}

/** The model begins unloaded and ends so. Undefined when there is nothing to count; throws only when interrupted. */
export async function benchModel(
  model: string,
  work: BenchWork,
  bench: BenchContext,
): Promise<ModelFigures | undefined> {
  const { app, context } = bench;
  try {
    const begun = performance.now();
    await app.speech.warm(model, context.signal);
    const loadSeconds = (performance.now() - begun) / 1000;
    const files = await benchFiles(model, work, bench);
    const peakBytes = await peakOf(model, app);
    await app.engine.unload(model);
    return files.length === 0 ? undefined : modelFigures(files, { model, loadSeconds, peakBytes });
  } catch (thrown) {
    if (context.signal.aborted) throw thrown;
    bench.onFailure(failureOf(thrown, { model, file: null }));
    return undefined;
  }
}

async function benchFiles(model: string, work: BenchWork, bench: BenchContext): Promise<FileFigures[]> {
  const { signal, stderr } = bench.context;
  const measured = new Map<ReferencedFile, TimedTranscription[]>(work.files.map((file) => [file, []]));
  const bar = bench.isQuiet ? undefined : startProgress(stderr, { label: model, unit: 'seconds' });
  const meter = new BenchMeter(work, bar);
  const request = { model, task: 'transcribe', beamSize: work.beamSize } as const;
  try {
    for (let round = 0; round < work.rounds; round += 1) {
      for (const [file, rounds] of measured) {
        try {
          const { path } = file;
          const onEvent = meter.listen(file);
          rounds.push(await timeTranscription(bench.app.speech, { path, request }, { signal, onEvent }));
          meter.finish(file);
        } catch (thrown) {
          if (signal.aborted) throw thrown;
          // It would fail in every round, and what it took until then is no figure.
          measured.delete(file);
          meter.drop(file);
          bench.onFailure(failureOf(thrown, { model, file: file.path }));
        }
      }
    }
  } finally {
    bar?.end();
  }
  return [...measured].map(([file, rounds]) => fileFigures(file, rounds));
}

/** How much audio has been heard of all that will be; until every length is known, the others are taken for average. */
class BenchMeter {
  /** Seconds of audio of each file, or undefined before it has begun. Without those that failed. */
  readonly #lengths: Map<ReferencedFile, number | undefined>;
  readonly #rounds: number;
  readonly #bar: Progress | undefined;
  /** Seconds of audio of the transcriptions that have finished. */
  #finishedSeconds = 0;

  constructor({ files, rounds }: BenchWork, bar: Progress | undefined) {
    this.#lengths = new Map(files.map((file) => [file, undefined]));
    this.#rounds = rounds;
    this.#bar = bar;
  }

  listen(file: ReferencedFile) {
    return (event: { type: string; durationSeconds?: number; doneSeconds?: number }): void => {
      if (event.durationSeconds !== undefined) this.#lengths.set(file, event.durationSeconds);
      if (event.doneSeconds !== undefined) this.#show(event.doneSeconds);
    };
  }

  finish(file: ReferencedFile): void {
    this.#finishedSeconds += this.#lengths.get(file) ?? 0;
    this.#show(0);
  }

  drop(file: ReferencedFile): void {
    this.#lengths.delete(file);
  }

  #show(doneSeconds: number): void {
    const known = [...this.#lengths.values()].filter((length) => length !== undefined);
    const average = sumOf(known, (length) => length) / known.length;
    this.#bar?.update(this.#finishedSeconds + doneSeconds, average * this.#lengths.size * this.#rounds);
  }
}

async function peakOf(model: string, app: SpeechApp): Promise<number | null> {
  const { models } = await app.engine.state();
  return models.find((state) => state.model === model)?.peakMemoryBytes ?? null;
}

function failureOf(thrown: unknown, what: Pick<Failure, 'model' | 'file'>): Failure {
  const { code, message } = toAppError(thrown);
  return { ...what, code, message };
}
