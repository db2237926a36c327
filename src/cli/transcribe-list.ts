/** `percept transcribe --list FILES.tsv`: many recordings, several at once, and how right their texts are. */
import { relative } from 'node:path';
import { AppError, toAppError } from '../base/errors.ts';
import { formatWordErrors, totalWordErrors, type WordErrors, wordErrors } from '../speech/word-error-rate.ts';
import { readAudioList } from './audio-list.ts';
import type { CliContext } from './context.ts';
import type { ReferencedFile } from './references.ts';
import { requireFile } from './require-file.ts';
import type { Format, Transcriber } from './transcriber.ts';
import { outputPath, writeOutput } from './transcription-output.ts';

export interface ListOptions {
  readonly format: Format;
  readonly outputDir: string | undefined;
}

export interface ListContext {
  readonly context: Pick<CliContext, 'stdout' | 'stderr' | 'signal' | 'fail'>;
  readonly transcriber: Transcriber;
}

/** Enough for the model's batches to fill. */
const FILES_AT_ONCE = 4;

/** One file's text, or why it has none. */
interface Outcome {
  /** From the working directory. */
  readonly file: string;
  readonly body: string;
  readonly text: string;
  readonly errors: WordErrors | undefined;
  readonly failure: AppError | undefined;
}

/** The files of a list. Throws before any work what would spoil its end: `not_found`, `usage`. */
export async function openList(path: string, options: ListOptions): Promise<readonly ReferencedFile[]> {
  const files = await readAudioList(path);
  refuseClashes(files, options);
  return files;
}

/** Results come in the order of the list. A file that fails is told of, and the others go on; then the command has failed. */
export async function transcribeList(
  files: readonly ReferencedFile[],
  options: ListOptions,
  work: ListContext,
): Promise<void> {
  const { context } = work;
  const outcomes: Outcome[] = [];
  const keep = async (outcome: Outcome) => {
    outcomes.push(outcome);
    await put(outcome, options, context);
  };
  const running: Promise<Outcome>[] = [];
  for (const file of files) {
    const outcome = transcribeOne(file, options, work);
    // Until its turn comes nobody waits for it, and by then an interruption may have ended the list.
    outcome.catch(() => {});
    running.push(outcome);
    if (running.length === FILES_AT_ONCE) await keep(await running.shift()!);
  }
  for (const outcome of running) await keep(await outcome);
  tellTotal(outcomes, options, context);
  if (outcomes.some(({ failure }) => failure !== undefined)) context.fail();
}

/** Subtitles that cannot be told apart on standard output, and files that would overwrite one another. */
function refuseClashes(files: readonly ReferencedFile[], { format, outputDir }: ListOptions): void {
  if (outputDir === undefined) {
    if (format === 'text' || format === 'json') return;
    throw new AppError('usage', `Subtitles of a list need files: add --output-dir to --format ${format}.`);
  }
  const taken = new Map<string, string>();
  for (const { path } of files) {
    const target = outputPath(path, { directory: outputDir, format });
    const other = taken.get(target);
    if (other !== undefined)
      throw new AppError(
        'usage',
        `${other} and ${path} would both be written to ${target}. Rename one of them.`,
      );
    taken.set(target, path);
  }
}

async function transcribeOne(
  { path, reference }: ReferencedFile,
  { format }: ListOptions,
  { context, transcriber }: ListContext,
): Promise<Outcome> {
  const file = relative('', path);
  try {
    await requireFile(path);
    const { body, text } = await transcriber(path, format);
    const errors = reference === undefined || text === undefined ? undefined : wordErrors(reference, text);
    return { file, body, text: text ?? '', errors, failure: undefined };
  } catch (thrown) {
    if (context.signal.aborted) throw thrown;
    return { file, body: '', text: '', errors: undefined, failure: toAppError(thrown) };
  }
}

async function put(
  outcome: Outcome,
  { format, outputDir }: ListOptions,
  { stdout, stderr }: ListContext['context'],
): Promise<void> {
  const { file, body, text, errors, failure } = outcome;
  if (failure === undefined && outputDir !== undefined)
    await writeOutput(outputPath(file, { directory: outputDir, format }), body);
  if (format === 'json') {
    const { code, message } = failure ?? {};
    const said = failure === undefined ? JSON.parse(body) : { error: { code, message } };
    const record = outputDir === undefined ? said : failure === undefined ? { text } : said;
    stdout.write(`${JSON.stringify({ file, ...(record as object), ...ratesOf(errors) })}\n`);
  } else if (failure !== undefined) stderr.write(`percept: ${file}: ${failure.message}\n`);
  else {
    const rate = errors === undefined ? '' : `  WER ${formatWordErrors(errors)}`;
    stdout.write(`${file}${rate}\n${outputDir === undefined ? `${text}\n` : ''}`);
  }
}

function tellTotal(
  outcomes: readonly Outcome[],
  { format }: ListOptions,
  { stdout }: ListContext['context'],
): void {
  const known = outcomes.flatMap(({ errors }) => errors ?? []);
  const errors = known.length === 0 ? undefined : totalWordErrors(known);
  const failures = outcomes.filter(({ failure }) => failure !== undefined).length;
  if (format === 'json')
    stdout.write(`${JSON.stringify({ total: { files: outcomes.length, failures, ...ratesOf(errors) } })}\n`);
  else if (errors !== undefined)
    stdout.write(`\n${known.length} files with a reference: WER ${formatWordErrors(errors)}\n`);
}

function ratesOf(errors: WordErrors | undefined) {
  if (errors === undefined) return {};
  const rate = errors.words === 0 ? null : errors.errors / errors.words;
  return { word_errors: errors.errors, reference_words: errors.words, word_error_rate: rate };
}
