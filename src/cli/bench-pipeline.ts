/** `percept bench pipeline`: how many recordings a server takes and finishes, from so many clients at once. */
import { setMaxListeners } from 'node:events';
import type { Command } from 'commander';
import { sleep } from '../base/abort.ts';
import { toAppError } from '../base/errors.ts';
import type { ProcessRequest } from '../intelligence/service.ts';
import type { StatusReport } from '../intelligence/status-report.ts';
import { DEFAULT_FEATURES, FEATURES, type Feature } from '../intelligence/task-input.ts';
import type { CliContext } from './context.ts';
import { featureList } from './feature-list.ts';
import { wholeNumberBetween } from './option-values.ts';
import { processRemotely } from './process-remotely.ts';
import { requireFile } from './require-file.ts';
import { percentile, sumOf } from './statistics.ts';
import { formatTable } from './table.ts';
import type { TaskClient } from './task-client.ts';

interface Options {
  readonly clients: number;
  readonly tasks: number;
  readonly features: readonly Feature[];
  readonly template: string;
  readonly server?: string;
  readonly apiKey?: string;
  readonly json?: true;
}

/** Below `bench`. */
export function registerPipeline(bench: Command, context: CliContext): void {
  bench
    .command('pipeline')
    .description('measure how many recordings a server finishes, sent by several clients at once')
    .argument('<files...>', 'recordings, sent in turn')
    .option(
      '--clients <number>',
      'clients at once; each waits for its recording',
      wholeNumberBetween(1, 1000),
      4,
    )
    .option('--tasks <number>', 'recordings in all', wholeNumberBetween(1, 100_000), 20)
    .option('--features <list>', `some of ${FEATURES.join(',')}`, featureList, DEFAULT_FEATURES)
    .option('-t, --template <id>', 'which summary', 'meeting_notes_v1')
    .option('--server <url>', 'a running server; one is started when left out')
    .option('--api-key <key>', 'key of that server')
    .option('--json', 'print everything as one JSON object')
    .action((files: string[], options: Options) => run(files, options, context));
}

async function run(files: readonly string[], options: Options, context: CliContext): Promise<void> {
  for (const file of files) await requireFile(file);
  const { server, apiKey } = options;
  const service =
    server === undefined
      ? await context.startService(context.loadConfig({ 'server.port': 0, 'log.level': 'warn' }).config)
      : undefined;
  const client = processRemotely({ server: server ?? service!.url, apiKey });
  try {
    const figures = await measure(files, options, { client, signal: context.signal });
    context.stdout.write(options.json ? `${JSON.stringify(figures, null, 2)}\n` : tableOf(figures));
    if (figures.failed > 0) context.fail();
  } finally {
    await service?.stop();
  }
}

interface Figures {
  readonly clients: number;
  readonly tasks: number;
  readonly complete: number;
  readonly failed: number;
  /** Answers 429; each was sent again after the time it named. */
  readonly refused: number;
  readonly seconds: number;
  readonly tasksPerMinute: number;
  /** Of audio, for each second. */
  readonly audioSecondsPerSecond: number;
  readonly acceptSeconds: Quantiles;
  readonly waitSeconds: Quantiles;
  readonly runSeconds: Quantiles;
}

interface Quantiles {
  readonly p50: number;
  readonly p95: number;
}

interface Run {
  readonly client: TaskClient;
  readonly signal: AbortSignal;
}

async function measure(
  files: readonly string[],
  options: Options,
  { client, signal }: Run,
): Promise<Figures> {
  const request: ProcessRequest = {
    features: options.features,
    templateId: options.features.includes('summary') ? options.template : null,
    webhookUrl: null,
    speechModel: null,
    language: null,
    wordTimestamps: null,
    priority: 'normal',
  };
  const reports: StatusReport[] = [];
  const acceptSeconds: number[] = [];
  let refused = 0;
  let next = 0;

  async function submit(file: string): Promise<string> {
    for (;;) {
      const begun = performance.now();
      try {
        const id = await client.submit(file, request, signal);
        acceptSeconds.push((performance.now() - begun) / 1000);
        return id;
      } catch (thrown) {
        const error = toAppError(thrown);
        if (error.code !== 'queue_full') throw error;
        refused += 1;
        await sleep(1000 * Math.max(1, error.retryAfterSeconds ?? 1), signal);
      }
    }
  }

  // Each client listens to the one signal, at several places.
  setMaxListeners(0, signal);
  const begun = performance.now();
  const clients = Array.from({ length: options.clients }, async () => {
    while (next < options.tasks) {
      const id = await submit(files[next++ % files.length]!);
      for await (const _ of client.watch(id, signal));
      reports.push(await client.status(id, signal));
    }
  });
  await Promise.all(clients);
  const seconds = (performance.now() - begun) / 1000;
  const complete = reports.filter(({ status }) => status === 'COMPLETE');
  return {
    clients: options.clients,
    tasks: reports.length,
    complete: complete.length,
    failed: reports.length - complete.length,
    refused,
    seconds,
    tasksPerMinute: (60 * complete.length) / seconds,
    audioSecondsPerSecond: sumOf(complete, audioSeconds) / seconds,
    acceptSeconds: quantiles(acceptSeconds),
    waitSeconds: quantiles(
      reports.flatMap(({ submitted_at, started_at }) => between(submitted_at, started_at)),
    ),
    runSeconds: quantiles(
      reports.flatMap(({ started_at, completed_at }) => between(started_at, completed_at)),
    ),
  };
}

function audioSeconds({ metrics }: StatusReport): number {
  const seconds = (metrics as { readonly input_duration_seconds?: number } | null)?.input_duration_seconds;
  return seconds ?? 0;
}

function between(from: string | null, to: string | null): number[] {
  return from === null || to === null ? [] : [(Date.parse(to) - Date.parse(from)) / 1000];
}

function quantiles(values: readonly number[]): Quantiles {
  return { p50: percentile(values, 0.5), p95: percentile(values, 0.95) };
}

function tableOf(figures: Figures): string {
  const seconds = ({ p50, p95 }: Quantiles) => `p50 ${p50.toFixed(2)} s, p95 ${p95.toFixed(2)} s`;
  return formatTable([
    ['clients', String(figures.clients)],
    ['recordings', `${figures.complete} complete, ${figures.failed} not`],
    ['refused (429), sent again', String(figures.refused)],
    ['in all', `${figures.seconds.toFixed(1)} s, ${figures.tasksPerMinute.toFixed(1)} a minute`],
    ['audio', `${figures.audioSecondsPerSecond.toFixed(1)} s a second`],
    ['until accepted', seconds(figures.acceptSeconds)],
    ['in the queue', seconds(figures.waitSeconds)],
    ['being processed', seconds(figures.runSeconds)],
  ]);
}
