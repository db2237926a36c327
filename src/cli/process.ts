/** `percept process FILE...`: recordings to transcripts and summaries, through the durable queue. */
import { type Command, Option } from 'commander';
import type { ProcessRequest } from '../intelligence/service.ts';
import type { StatusReport, StatusSummary } from '../intelligence/status-report.ts';
import { DEFAULT_FEATURES, FEATURES, type Feature } from '../intelligence/task-input.ts';
import { PRIORITIES, type Priority } from '../jobs/task.ts';
import type { CliContext } from './context.ts';
import { featureList } from './feature-list.ts';
import { processHere } from './process-here.ts';
import { processRemotely } from './process-remotely.ts';
import { requireFile } from './require-file.ts';
import type { TaskClient } from './task-client.ts';

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
    .option('--json', 'print whole results, with versions and figures')
    .option('--server <url>', 'use a running server')
    .option('--api-key <key>', 'key of that server')
    .action((files: string[], options: Options) => run(files, options, context));
}

async function run(files: readonly string[], options: Options, context: CliContext): Promise<void> {
  const { signal, stdout, stderr } = context;
  for (const file of files) await requireFile(file);
  const client = await openClient(options, context);
  try {
    const ids = new Map<string, string>();
    for (const file of files) {
      const id = await client.submit(file, requestOf(options), signal);
      ids.set(id, file);
      if (!options.wait) stdout.write(`${id}\n`);
    }
    if (!options.wait) return;
    for (const [id, file] of ids) {
      for await (const status of client.watch(id, signal)) stderr.write(`${file}  ${progressOf(status)}\n`);
      const report = await client.status(id, signal);
      stdout.write(options.json ? `${JSON.stringify(report, null, 2)}\n` : resultText(report));
      if (report.status !== 'COMPLETE') {
        stderr.write(`percept: ${file}: ${report.error ?? report.status}\n`);
        context.fail();
      }
    }
  } finally {
    await client.close();
  }
}

async function openClient({ server, apiKey, wait }: Options, context: CliContext): Promise<TaskClient> {
  if (server !== undefined) return processRemotely({ server, apiKey });
  const app = await context.openTasks(context.loadConfig().config);
  return processHere({
    app,
    waits: wait === true,
    onNoWorker: () =>
      context.stderr.write('No worker runs: start "percept serve" or "percept worker", or add --wait.\n'),
  });
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

function progressOf({ status, progress, error }: StatusSummary): string {
  const share = progress > 0 && progress < 1 ? ` ${Math.round(100 * progress)} %` : '';
  return `${status}${share}${error === null ? '' : `: ${error}`}`;
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
