/** `percept bench [FILES...]`: how fast and how right models are on this machine. */
import type { Command } from 'commander';
import { AppError, toAppError } from '../base/errors.ts';
import type { Config } from '../config/schema.ts';
import { processPeakMemoryBytes } from '../engine/memory.ts';
import type { ModelFigures } from './bench-figures.ts';
import { type BenchContext, benchModel } from './bench-model.ts';
import { registerPipeline } from './bench-pipeline.ts';
import { type BenchConditions, type BenchReport, type Failure, formatReport } from './bench-report.ts';
import { readConditions } from './conditions.ts';
import type { CliContext, SpeechApp } from './context.ts';
import { prepareLibrivox } from './librivox.ts';
import { collected, wholeNumberBetween } from './option-values.ts';
import { prepareModel } from './prepare-model.ts';
import { type ReferencedFile, withReferences } from './references.ts';
import { requireFile } from './require-file.ts';

const DEFAULT_ROUNDS = 3;
const MAX_ROUNDS = 1000;

interface Options {
  readonly model?: readonly string[];
  readonly rounds: number;
  readonly references?: string;
  readonly beamSize?: number;
  readonly threads?: number;
  readonly json?: true;
}

export function register(program: Command, context: CliContext): void {
  const command = program
    .command('bench')
    .description('measure speed, word error rate and memory of speech models on this machine')
    .argument('[files...]', 'recordings; five short ones of LibriVox are downloaded when left out')
    .option(
      '-m, --model <name>',
      'speech model, once for each to compare; the configured default when left out',
      collected,
    )
    .option(
      '--rounds <number>',
      'times each file is heard',
      wholeNumberBetween(1, MAX_ROUNDS),
      DEFAULT_ROUNDS,
    )
    .option(
      '--references <path>',
      'what is really said: a TSV file of PATH<TAB>TEXT, or a directory with talk.txt for talk.wav; when left out, such a text beside a recording counts',
    )
    .option('--beam-size <number>', 'hypotheses followed at once', wholeNumberBetween(1, 20))
    .option('--threads <number>', 'threads of a model', wholeNumberBetween(1, 256))
    .option('--json', 'print everything as one JSON object, without progress')
    .action((files: string[], options: Options) => bench(files, options, { context, program }));
  registerPipeline(command, context);
}

async function bench(
  given: readonly string[],
  options: Options,
  { context, program }: { readonly context: CliContext; readonly program: Command },
): Promise<void> {
  const { config } = context.loadConfig({
    'models.keep_alive': '-1',
    ...(options.threads === undefined ? {} : { 'models.threads': options.threads }),
  });
  const named = await requireFiles(await withReferences(given, options.references));
  const isQuiet = options.json === true;
  const app = context.openSpeech(config);
  try {
    const names = await prepareModels(app, options.model, { context, isQuiet });
    const files = named.length > 0 ? named : await prepareLibrivox(app.store, { context, isQuiet });
    const { models, failures } = await benchModels(names, files, { app, context, options });
    const report: BenchReport = {
      conditions: {
        ...(await readConditions(program.version() ?? '')),
        ...benchConditions(files, options, config),
      },
      models,
      commandPeakBytes: (await processPeakMemoryBytes(process.pid)) ?? null,
      failures,
    };
    context.stdout.write(isQuiet ? `${JSON.stringify(report, null, 2)}\n` : formatReport(report));
    if (failures.length > 0) context.fail();
  } finally {
    await app.close({ timeoutMs: 0 });
  }
}

/** Throws before anything is downloaded: a name is spelled wrongly more often than a file is bad. */
async function requireFiles(files: readonly ReferencedFile[]): Promise<readonly ReferencedFile[]> {
  for (const { path } of files) {
    await requireFile(path).catch((thrown: unknown) => {
      const { code, message } = toAppError(thrown);
      throw new AppError(code, `${path}: ${message}`);
    });
  }
  return files;
}

/** Full names, each once; all are installed and converted, so that no download is in the figures. */
async function prepareModels(
  app: SpeechApp,
  models: Options['model'],
  work: { readonly context: CliContext; readonly isQuiet: boolean },
): Promise<readonly string[]> {
  const names = new Set<string>();
  for (const model of models ?? [undefined]) names.add(await prepareModel(app.speech, model, work));
  return [...names];
}

/** One model after the other, so that each has the machine to itself. */
async function benchModels(
  names: readonly string[],
  files: readonly ReferencedFile[],
  {
    app,
    context,
    options,
  }: { readonly app: SpeechApp; readonly context: CliContext; readonly options: Options },
): Promise<{ models: readonly ModelFigures[]; failures: readonly Failure[] }> {
  const failures: Failure[] = [];
  const bench: BenchContext = {
    app,
    context,
    isQuiet: options.json === true,
    onFailure(failure) {
      failures.push(failure);
      context.stderr.write(
        `percept: ${failure.file ?? failure.model}: ${failure.message}${failure.file === null ? '' : ` (${failure.model})`}\n`,
      );
    },
  };
  const work = { files, rounds: options.rounds, beamSize: options.beamSize };
  const models: ModelFigures[] = [];
  for (const name of names) {
    const figures = await benchModel(name, work, bench);
    if (figures !== undefined) models.push(figures);
  }
  return { models, failures };
}

function benchConditions(
  files: readonly ReferencedFile[],
  { rounds, beamSize }: Options,
  { models, speech }: Config,
): BenchConditions {
  return {
    files: files.length,
    rounds,
    threads: models.threads,
    beamSize: beamSize ?? speech.beamSize,
  };
}
