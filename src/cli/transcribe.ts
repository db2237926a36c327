/** `percept transcribe FILE...`, here or on a running server. */
import { basename } from 'node:path';
import { type Command, Option } from 'commander';
import { AppError, toAppError } from '../base/errors.ts';
import { type Granularity, toSrt, toText, toVerboseJson, toVtt } from '../speech/formats.ts';
import type { SpeechRequest } from '../speech/service.ts';
import type { TranscribeEvent, Transcript } from '../speech/transcript.ts';
import type { CliContext, SpeechApp } from './context.ts';
import { numberBetween, wholeNumberBetween } from './option-values.ts';
import { prepareModel } from './prepare-model.ts';
import { startProgress } from './progress.ts';
import { requireFile } from './require-file.ts';
import { type ListOptions, openList, transcribeList } from './transcribe-list.ts';
import { transcribeLive } from './transcribe-live.ts';
import { transcribeRemotely } from './transcribe-remotely.ts';
import { FORMATS, type Format, type Transcriber } from './transcriber.ts';
import { outputPath, writeOutput } from './transcription-output.ts';

interface Options {
  readonly model?: string;
  readonly language?: string;
  readonly format: Format;
  readonly list?: string;
  readonly outputDir?: string;
  readonly json?: true;
  readonly server?: string;
  readonly apiKey?: string;
  readonly translate?: true;
  readonly prompt?: string;
  readonly temperature?: number;
  readonly beamSize?: number;
  readonly wordTimestamps?: true;
  readonly live?: true;
  readonly rate?: number;
}

export function register(program: Command, context: CliContext): void {
  program
    .command('transcribe')
    .description('write down what is said in recordings')
    .argument('[files...]', 'audio or video files; "-" for standard input with --live')
    .option('-m, --model <name>', 'speech model; the configured default when left out')
    .option('-l, --language <code>', 'language spoken, such as en; detected when left out')
    .addOption(new Option('-f, --format <format>', 'format of the output').choices(FORMATS).default('text'))
    .option(
      '--list <tsv>',
      'the files in the column "wav" of a TSV file, several at once; with a column "txt" also the word error rate',
    )
    .option(
      '-o, --output-dir <directory>',
      'write FILE.txt, .srt, .vtt or .json there, not to standard output',
    )
    .option('--json', 'one JSON object a line for each file, without progress')
    .option('--server <url>', 'use a running server')
    .option('--api-key <key>', 'key of that server')
    .option('--translate', 'translate into English')
    .option('--prompt <text>', 'words or a text whose style and spelling to follow')
    .option('--temperature <number>', 'from 0 to 1; 0 retries at rising temperatures', numberBetween(0, 1))
    .option('--beam-size <number>', 'hypotheses followed at once', wholeNumberBetween(1, 20))
    .option('--word-timestamps', 'with JSON: also when each word was said')
    .addOption(
      new Option(
        '--live',
        'listen to standard input, raw 16-bit mono or WAVE, and write while it is spoken',
      ).conflicts(['list', 'translate', 'format', 'outputDir', 'temperature', 'beamSize', 'wordTimestamps']),
    )
    .option('--rate <hertz>', 'samples a second of raw sound (16000)', numberBetween(4000, 768_000))
    .action((files: string[], options: Options) =>
      options.live ? transcribeLive(files, options, context) : transcribeAll(files, options, context),
    );
}

async function transcribeAll(files: readonly string[], options: Options, context: CliContext): Promise<void> {
  if ((files.length === 0) === (options.list === undefined))
    throw new AppError('usage', 'Name the files to transcribe, or a list of them with --list.');
  const work = await planWork(files, options, context);
  if (options.server !== undefined) {
    const transcriber = transcribeRemotely({
      ...options,
      server: options.server,
      request: requestOf(options),
      signal: context.signal,
    });
    return work(transcriber);
  }
  const { config } = context.loadConfig();
  const app = context.openSpeech(config);
  try {
    await prepareModel(app.speech, options.model, { context, isQuiet: options.json === true });
    await work(transcribeHere(app, options, context));
  } finally {
    await app.close({ timeoutMs: 0 });
  }
}

function requestOf(options: Options): SpeechRequest {
  return {
    model: options.model,
    task: options.translate ? 'translate' : 'transcribe',
    language: options.language,
    prompt: options.prompt,
    temperature: options.temperature,
    beamSize: options.beamSize,
    wordTimestamps: hasWords(options),
  };
}

/** No other format has a place for words. */
function hasWords(options: Options): boolean {
  return options.wordTimestamps === true && formatOf(options) === 'json';
}

function formatOf(options: Options): Format {
  return options.json ? 'json' : options.format;
}

function transcribeHere(app: SpeechApp, options: Options, context: CliContext): Transcriber {
  return async (path, format) => {
    // The files of a list are heard side by side, and their results show how far it is.
    const progress =
      options.json || options.list !== undefined
        ? undefined
        : startProgress(context.stderr, { label: basename(path), unit: 'seconds' });
    let durationSeconds = 0;
    const onEvent = (event: TranscribeEvent) => {
      if (event.type === 'started') durationSeconds = event.durationSeconds;
      if (event.type === 'progress') progress?.update(event.doneSeconds, durationSeconds);
    };
    try {
      const transcript = await app.speech.transcribe(path, requestOf(options), {
        signal: context.signal,
        onEvent,
      });
      const body = formatted(transcript, format, hasWords(options) ? ['segment', 'word'] : ['segment']);
      return { body, text: transcript.text };
    } finally {
      progress?.end();
    }
  };
}

function formatted(transcript: Transcript, format: Format, granularities: readonly Granularity[]): string {
  switch (format) {
    case 'text':
      return toText(transcript);
    case 'srt':
      return toSrt(transcript);
    case 'vtt':
      return toVtt(transcript);
    case 'json':
      return `${JSON.stringify(toVerboseJson(transcript, granularities), null, 2)}\n`;
    default:
      throw new Error(`Unknown format ${format satisfies never}.`);
  }
}

/** Reads the list, if there is one, before anything is downloaded. */
async function planWork(
  files: readonly string[],
  options: Options,
  context: CliContext,
): Promise<(transcriber: Transcriber) => Promise<void>> {
  const { list, outputDir } = options;
  if (list === undefined) return (transcriber) => eachFile(files, options, { context, transcriber });
  const how: ListOptions = { format: formatOf(options), outputDir };
  const listed = await openList(list, how);
  return (transcriber) => transcribeList(listed, how, { context, transcriber });
}

/** A file that fails is told of, and the others go on; then the command has failed. */
async function eachFile(
  files: readonly string[],
  options: Options,
  { context, transcriber }: { context: CliContext; transcriber: Transcriber },
): Promise<void> {
  let failures = 0;
  for (const file of files) {
    try {
      await requireFile(file);
      const { body } = await transcriber(file, formatOf(options));
      await put(file, body, { options, context });
    } catch (thrown) {
      if (context.signal.aborted) throw thrown;
      failures += 1;
      const error = toAppError(thrown);
      if (options.json)
        context.stdout.write(
          `${JSON.stringify({ file, error: { code: error.code, message: error.message } })}\n`,
        );
      else context.stderr.write(`percept: ${file}: ${error.message}\n`);
    }
  }
  if (failures > 0) context.fail();
}

async function put(
  file: string,
  body: string,
  { options, context }: { options: Options; context: CliContext },
): Promise<void> {
  if (options.outputDir !== undefined) {
    const format = formatOf(options);
    await writeOutput(outputPath(file, { directory: options.outputDir, format }), body);
  } else if (options.json) {
    context.stdout.write(`${JSON.stringify({ file, ...(JSON.parse(body) as object) })}\n`);
  } else context.stdout.write(body);
}
