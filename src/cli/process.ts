/** `percept process FILE...`: recordings to transcripts and summaries, through the durable queue. */
import { type Command, Option } from 'commander';
import { toAppError } from '../base/errors.ts';
import type { ProcessRequest } from '../intelligence/service.ts';
import type { StatusReport } from '../intelligence/status-report.ts';
import { DEFAULT_FEATURES, FEATURES, type Feature } from '../intelligence/task-input.ts';
import { PRIORITIES, type Priority } from '../jobs/task.ts';
import type { CliContext } from './context.ts';
import { EXIT_CODES } from './exit-codes.ts';
import { featureList } from './feature-list.ts';
import { NO_WORKER, processHere } from './process-here.ts';
import { processRemotely } from './process-remotely.ts';
import { requireFile } from './require-file.ts';
import type { TaskClient } from './task-client.ts';
import { startTaskProgress } from './task-progress.ts';
import { routeOf } from './transcribe-remotely.ts';

interface Options {
  readonly features: readonly Feature[];
  readonly template?: string;
  readonly model?: string;
  readonly language?: string;
  readonly wordTimestamps?: true;
  readonly webhook?: string;
  readonly priority: Priority;
  readonly wait?: true;
  readonly json?: true;
  readonly server?: string;
  readonly apiKey?: string;
}

export function register(program: Command, context: CliContext): void {
  program
    .command('process')
    .description('turn recordings into transcripts and summaries')
    .argument('<files...>', 'audio or video files')
    .option('--features <list>', `some of ${FEATURES.join(',')}`, featureList, DEFAULT_FEATURES)
    .option('-t, --template <id>', 'which summary, such as meeting_notes_v1; required with summary')
    .option('-m, --model <name>', 'speech model; the configured one when left out')
    .option('-l, --language <code>', 'language spoken, such as en; detected when left out')
    .option('--word-timestamps', 'also give segments, and when each word was said')
    .option('--webhook <url>', 'where the end of each task is told')
    .addOption(
      new Option('--priority <name>', 'which of the waiting tasks go first')
        .choices(PRIORITIES)
        .default('normal'),
    )
    .option('--wait', 'show the progress, and print the results')
    .option('--json', 'one JSON object a line for each file: the whole result, with versions and figures')
    .option('--server <url>', 'use a running server')
    .option('--api-key <key>', 'key of that server')
    .action((files: string[], options: Options) => run(files, options, context));
}

interface Submitted {
  readonly id: string;
  readonly file: string;
}

async function run(files: readonly string[], options: Options, context: CliContext): Promise<void> {
  const { client, onInterrupted } = await openClient(options, context);
  const submitted: Submitted[] = [];
  let waitedFor = 0;
  try {
    for (const file of files) {
      await tellFailure(file, context, async () => {
        await requireFile(file);
        const id = await client.submit(file, requestOf(options), context.signal);
        submitted.push({ id, file });
        if (!options.wait) context.stdout.write(options.json ? line({ file, task_id: id }) : `${id}\n`);
      });
    }
    if (!options.wait) return;
    for (const one of submitted) {
      await tellFailure(one.file, context, () => waitFor(one, { client, options, context }));
      waitedFor += 1;
    }
  } catch (error) {
    if (context.signal.aborted) for (const { id } of submitted.slice(waitedFor)) onInterrupted(id);
    throw error;
  } finally {
    await client.close();
  }
}

/** A file that fails is told of, and the others go on. What was asked wrongly is so for all of them. */
async function tellFailure(file: string, context: CliContext, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (thrown) {
    const error = toAppError(thrown);
    if (context.signal.aborted || EXIT_CODES[error.code] === EXIT_CODES.usage) throw thrown;
    context.stderr.write(`percept: ${file}: ${error.message}\n`);
    context.fail();
  }
}

/** Until it has ended; then it is told. */
async function waitFor(
  { id, file }: Submitted,
  { client, options, context }: { client: TaskClient; options: Options; context: CliContext },
): Promise<void> {
  const { signal, stdout, stderr } = context;
  const progress = options.json ? undefined : startTaskProgress(stderr, file);
  try {
    for await (const status of client.watch(id, signal)) progress?.update(status);
  } finally {
    progress?.end();
  }
  const report = await client.status(id, signal);
  stdout.write(options.json ? line({ file, ...report }) : resultText(report));
  if (report.status === 'COMPLETE') return;
  stderr.write(`percept: ${file}: ${report.error ?? report.status}\n`);
  context.fail();
}

interface Client {
  readonly client: TaskClient;
  /** Says what becomes of a task that is not waited for any more. */
  readonly onInterrupted: (id: string) => void;
}

async function openClient({ server, apiKey, wait }: Options, context: CliContext): Promise<Client> {
  const { stderr } = context;
  if (server !== undefined) {
    return {
      client: processRemotely({ server, apiKey }),
      onInterrupted: (id) =>
        stderr.write(`${id} goes on. To see it: GET ${routeOf(server, `status/${id}`)}; DELETE cancels.\n`),
    };
  }
  const app = await context.openTasks(context.loadConfig().config);
  const client = await processHere({
    app,
    waits: wait === true,
    onNoWorker: () => stderr.write(`${NO_WORKER}, or add --wait.\n`),
  });
  const future = client.isWorker ? 'waits for "percept serve" or "percept worker"' : 'goes on';
  return {
    client,
    onInterrupted: (id) =>
      stderr.write(`${id} ${future}. See "percept tasks show ${id}"; "percept tasks cancel" ends it.\n`),
  };
}

function requestOf(options: Options): ProcessRequest {
  return {
    features: options.features,
    templateId: options.template ?? null,
    webhookUrl: options.webhook ?? null,
    speechModel: options.model ?? null,
    language: options.language ?? null,
    wordTimestamps: options.wordTimestamps ?? null,
    priority: options.priority,
  };
}

/** For machines, one a line. */
function line(value: object): string {
  return `${JSON.stringify(value)}\n`;
}

/** What a person wants to read: the transcript, and the summary as JSON. */
function resultText({ results }: StatusReport): string {
  if (results === null || typeof results !== 'object') return '';
  return Object.entries(results)
    .map(([name, value]) => {
      const text = typeof value === 'string' ? value : JSON.stringify(value, null, 2);
      return `# ${name}\n${text}\n`;
    })
    .join('\n');
}
