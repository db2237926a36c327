/** What `percept bench` found, as a table for people. For machines it is JSON as it is. */
import { formatWordErrors } from '../speech/word-error-rate.ts';
import type { ModelFigures } from './bench-figures.ts';
import type { Conditions } from './conditions.ts';
import { formatTable } from './table.ts';
import { formatBytes } from './units.ts';

export interface BenchReport {
  readonly conditions: Conditions & BenchConditions;
  /** In the order in which they ran; without those that could hear no file at all. */
  readonly models: readonly ModelFigures[];
  /** The most that the command's own process has held; null where the system does not tell. */
  readonly commandPeakBytes: number | null;
  readonly failures: readonly Failure[];
}

export interface BenchConditions {
  readonly files: number;
  readonly rounds: number;
  readonly threads: number;
  readonly beamSize: number;
}

export interface Failure {
  readonly model: string;
  /** Null when the model itself failed. */
  readonly file: string | null;
  readonly code: string;
  readonly message: string;
}

/** The conditions, then a column for each model. */
export function formatReport({ conditions, models, commandPeakBytes }: BenchReport): string {
  if (models.length === 0) return `${describe(conditions)}\nNothing could be transcribed.\n`;
  const rows = ROWS.map(([label, cell]) => [label, ...models.map(cell)]);
  return [
    describe(conditions),
    formatTable([['', ...models.map(({ model }) => model)], ...rows]),
    `Peak memory of the command itself: ${bytesOrDash(commandPeakBytes)}.\n`,
  ].join('\n');
}

const ROWS: readonly (readonly [string, (figures: ModelFigures) => string])[] = [
  ['load', ({ loadSeconds }) => inSeconds(loadSeconds)],
  ['audio', ({ audioSeconds }) => `${audioSeconds.toFixed(1)} s`],
  ['time (median)', ({ seconds }) => inSeconds(seconds)],
  ['real-time factor', ({ realTimeFactor }) => realTimeFactor.toFixed(4)],
  ['times real time', ({ timesRealTime }) => `${timesRealTime.toFixed(1)}x`],
  ['first text', ({ firstTextSeconds }) => inSeconds(firstTextSeconds)],
  ['word error rate', ({ wordErrors }) => (wordErrors === null ? '—' : formatWordErrors(wordErrors))],
  ['  decode audio', ({ stages }) => inSeconds(stages.decodeAudio)],
  ['  voice activity', ({ stages }) => inSeconds(stages.voiceActivity)],
  ['  features', ({ stages }) => inSeconds(stages.features)],
  ['  encoder', ({ stages }) => inSeconds(stages.encoder)],
  ['  decoder', ({ stages }) => inSeconds(stages.decoder)],
  ['peak memory', ({ peakBytes }) => bytesOrDash(peakBytes)],
];

function describe(conditions: BenchReport['conditions']): string {
  const { percept, node, onnxRuntime, platform, cpu, cores, threads, date } = conditions;
  const { files, rounds, beamSize } = conditions;
  const search = beamSize === 1 ? 'greedy' : `beam ${beamSize}`;
  return [
    `Percept ${percept}, Node.js ${node}, ONNX Runtime ${onnxRuntime}, ${platform}`,
    `${count(cores, 'core')} of ${cpu}, ${count(threads, 'thread')}, ${date}`,
    `${count(files, 'file')} one at a time, ${count(rounds, 'round')}, ${search}`,
    '',
  ].join('\n');
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}

function inSeconds(seconds: number): string {
  return `${seconds.toFixed(seconds < 10 ? 3 : 1)} s`;
}

function bytesOrDash(bytes: number | null): string {
  return bytes === null ? '—' : formatBytes(bytes);
}
