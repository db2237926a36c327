/** `percept tasks move`: from the queue of the configuration into another, such as from SQLite to Redis when a second machine comes. */
import { type Command, Option } from 'commander';
import { AppError } from '../base/errors.ts';
import { silentLogger } from '../base/logger.ts';
import { hidePassword } from '../base/url.ts';
import type { Config } from '../config/schema.ts';
import { type Moved, moveTasks } from '../jobs/move-tasks.ts';
import { openQueue } from '../jobs/open-queue.ts';
import { type Queue, WORKER_MEMORY_MS } from '../jobs/queue.ts';
import type { CliContext } from './context.ts';

interface Options {
  readonly to: Config['tasks']['queue'];
  readonly toUrl?: string;
  readonly force?: true;
}

/** Below `tasks`. */
export function registerMove(tasks: Command, context: CliContext): void {
  tasks
    .command('move')
    .description('bring all tasks into another queue; the old one keeps its own')
    .addOption(
      new Option('--to <queue>', 'the other queue').choices(['sqlite', 'redis']).makeOptionMandatory(),
    )
    .option('--to-url <url>', 'of the other Redis; tasks.redis_url when left out')
    .option('--force', 'even while workers run')
    .action((options: Options) => move(options, context));
}

async function move({ to, toUrl, force }: Options, context: CliContext): Promise<void> {
  const { stdout, stderr } = context;
  if (toUrl !== undefined && to !== 'redis')
    throw new AppError('usage', '--to-url is the address of a Redis; leave it out, or move --to redis.');
  const from = context.loadConfig().config;
  const target = context.loadConfig({
    'tasks.queue': to,
    ...(toUrl === undefined ? {} : { 'tasks.redis_url': toUrl }),
  }).config;
  if (placeOf(from) === placeOf(target))
    throw new AppError('usage', `The tasks are in ${placeOf(from)} already: see "percept config".`);
  const queues: Queue[] = [];
  try {
    for (const config of [from, target]) queues.push(await openQueue({ config, logger: silentLogger }));
    const [old, other] = queues as [Queue, Queue];
    if (force !== true) {
      await requireIdle(old, placeOf(from));
      await requireIdle(other, placeOf(target));
    }
    const moved = await moveTasks(old, other);
    stdout.write(`${inWords(moved)} from ${placeOf(from)} to ${placeOf(target)}.\n`);
    if (moved.running > 0) {
      stderr.write(`percept: ${leftInWords(moved)} Move again once they have ended.\n`);
      context.fail();
    }
    stderr.write(
      `Set tasks.queue to ${to}${toUrl === undefined ? '' : ' and tasks.redis_url'}, and start.\n`,
    );
  } finally {
    for (const queue of queues) await queue.close();
  }
}

/** Whoever works on tasks while they are moved might do one in both queues. */
async function requireIdle(queue: Queue, place: string): Promise<void> {
  const workers = (await queue.workers()).filter(({ silentMs }) => silentMs < WORKER_MEMORY_MS);
  if (workers.length === 0) return;
  const names = workers.map(({ name }) => name).join(', ');
  throw new AppError(
    'task_state',
    `Workers run on ${place}: ${names}. Stop them and the servers, wait a minute if they were killed, or move with --force.`,
  );
}

/** For people; two queues are one where it is the same. */
function placeOf({ home, tasks }: Config): string {
  return tasks.queue === 'sqlite' ? `SQLite in ${home}` : `Redis at ${hidePassword(tasks.redisUrl)}`;
}

function inWords({ moved, known }: Moved): string {
  const there = known === 0 ? '' : `, ${known} ${known === 1 ? 'was' : 'were'} there already`;
  return `${moved} ${moved === 1 ? 'task' : 'tasks'} moved${there},`;
}

function leftInWords({ running }: Moved): string {
  return running === 1 ? '1 task runs and is left.' : `${running} tasks run and are left.`;
}
