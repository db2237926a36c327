/** `percept worker`: runs tasks of the queue, on as many machines as one likes. */
import type { Command } from 'commander';
import { AppError } from '../base/errors.ts';
import type { CliContext } from './context.ts';

interface Options {
  readonly concurrency?: string;
  readonly check?: true;
}

const CLOSE_MS = 5000;

export function register(program: Command, context: CliContext): void {
  program
    .command('worker')
    .description('run the tasks of the queue, without serving HTTP')
    .option('--concurrency <number>', 'tasks at once')
    .option('--check', 'say whether the queue answers and has a worker, and end')
    .action((options: Options) => (options.check ? check(context) : work(options, context)));
}

async function work({ concurrency }: Options, context: CliContext): Promise<void> {
  const { config } = context.loadConfig({ 'tasks.concurrency': concurrency });
  const app = await context.openTasks(config, { work: true });
  try {
    const worker = await app.startWork();
    await new Promise<void>((resolve) => {
      context.signal.addEventListener('abort', () => resolve(), { once: true });
      if (context.signal.aborted) resolve();
    });
    await worker.stop();
  } finally {
    await app.close({ timeoutMs: CLOSE_MS });
  }
}

/** For the health check of a container. */
async function check(context: CliContext): Promise<void> {
  const app = await context.openTasks(context.loadConfig().config);
  try {
    const { isConnected, hasWorker, waiting, running } = await app.intelligence.health();
    if (!isConnected) throw new AppError('queue_unavailable', 'The queue does not answer.');
    if (!hasWorker) throw new AppError('not_found', 'No worker has given a sign of life within a minute.');
    context.stdout.write(`${waiting} waiting, ${running} running\n`);
  } finally {
    await app.close({ timeoutMs: CLOSE_MS });
  }
}
