/** From single measurements to the figures of a model: medians over the rounds, then sums over the files. */
import type { Timings, Transcript } from '../speech/transcript.ts';
import { totalWordErrors, type WordErrors, wordErrors } from '../speech/word-error-rate.ts';
import type { ReferencedFile } from './references.ts';
import { median, sumOf } from './statistics.ts';
import type { TimedTranscription } from './timed-transcription.ts';

export const STAGES = ['decodeAudio', 'voiceActivity', 'features', 'encoder', 'decoder'] as const;
/** Seconds of each; `voiceActivity` may count waiting for the other stages, so they are shares and need not add up. */
export type StageSeconds = Readonly<Record<(typeof STAGES)[number], number>>;

export interface FileFigures {
  readonly file: string;
  readonly audioSeconds: number;
  /** Medians of the rounds, as are the other seconds. */
  readonly seconds: number;
  readonly secondsByRound: readonly number[];
  readonly firstTextSeconds: number;
  readonly stages: StageSeconds;
  /** Of the last round. */
  readonly text: string;
  readonly reference: string | null;
  readonly wordErrors: WordErrors | null;
}

export interface ModelFigures {
  readonly model: string;
  /** From the start of its process until it could be asked. */
  readonly loadSeconds: number;
  readonly audioSeconds: number;
  readonly seconds: number;
  /** Seconds of work for a second of audio. */
  readonly realTimeFactor: number;
  readonly timesRealTime: number;
  /** The mean of the files. */
  readonly firstTextSeconds: number;
  /** Of the files with a reference; null when none has one. */
  readonly wordErrors: WordErrors | null;
  /** `wordErrors` as a share, 0 is perfect; null without a word of reference. */
  readonly wordErrorRate: number | null;
  readonly stages: StageSeconds;
  /** The most that the model's process has held; null where the system does not tell. */
  readonly peakBytes: number | null;
  readonly files: readonly FileFigures[];
}

/** `rounds` must hold at least one. */
export function fileFigures(
  { path, reference }: ReferencedFile,
  rounds: readonly TimedTranscription[],
): FileFigures {
  const { durationSeconds, text }: Transcript = rounds.at(-1)!.transcript;
  return {
    file: path,
    audioSeconds: durationSeconds,
    seconds: median(rounds.map(({ seconds }) => seconds)),
    secondsByRound: rounds.map(({ seconds }) => seconds),
    firstTextSeconds: median(rounds.map(({ firstTextSeconds }) => firstTextSeconds)),
    stages: eachStage((stage) => median(rounds.map(({ transcript }) => transcript.timings[stage]))),
    text,
    reference: reference ?? null,
    wordErrors: reference === undefined ? null : wordErrors(reference, text),
  };
}

/** `files` must hold at least one. */
export function modelFigures(
  files: readonly FileFigures[],
  process: Pick<ModelFigures, 'model' | 'loadSeconds' | 'peakBytes'>,
): ModelFigures {
  const audioSeconds = sumOf(files, (file) => file.audioSeconds);
  const seconds = sumOf(files, (file) => file.seconds);
  const referenced = files.flatMap((file) => file.wordErrors ?? []);
  const errors = referenced.length === 0 ? null : totalWordErrors(referenced);
  return {
    ...process,
    audioSeconds,
    seconds,
    realTimeFactor: seconds / audioSeconds,
    timesRealTime: audioSeconds / seconds,
    firstTextSeconds: sumOf(files, (file) => file.firstTextSeconds) / files.length,
    wordErrors: errors,
    wordErrorRate: errors === null || errors.words === 0 ? null : errors.errors / errors.words,
    stages: eachStage((stage) => sumOf(files, (file) => file.stages[stage])),
    files,
  };
}

function eachStage(secondsOf: (stage: keyof Timings & keyof StageSeconds) => number): StageSeconds {
  return Object.fromEntries(STAGES.map((stage) => [stage, secondsOf(stage)])) as StageSeconds; // its keys are those of the type
}
