/** `percept tasks list|show|retry|cancel|move`: the queue as it stands, whether a server runs or not. */
import { type Command, Option } from 'commander';
import { toAppError } from '../base/errors.ts';
import type { IntelligenceService } from '../intelligence/service.ts';
import { reportStatus, type StatusSummary, summariseStatus } from '../intelligence/status-report.ts';
import { hasEnded, TASK_STATES, type TaskState } from '../jobs/task.ts';
import type { CliContext } from './context.ts';
import { wholeNumberBetween } from './option-values.ts';
import { NO_WORKER } from './process-here.ts';
import { formatTable } from './table.ts';
import { registerMove } from './tasks-move.ts';

const CLOSE_MS = 5000;

interface ListOptions {
  readonly state?: TaskState;
  readonly limit: number;
  readonly json?: true;
}

export function register(program: Command, context: CliContext): void {
  const tasks = program
    .command('tasks')
    .description('the tasks of the queue: list, show, retry, cancel, move');
  tasks
    .command('list')
    .description('the newest tasks')
    .addOption(new Option('--state <state>', 'only those').choices(TASK_STATES))
    .option('--limit <number>', 'most tasks', wholeNumberBetween(1, 1000), 50)
    .option('--json', 'one JSON object a line')
    .action((options: ListOptions) =>
      withTasks(context, (intelligence) => list(intelligence, options, context)),
    );
  tasks
    .command('show')
    .description('a task with its result')
    .argument('<id>', 'of the task')
    .option('--history', 'every change of its state instead')
    .action((id: string, options: { readonly history?: true }) =>
      withTasks(context, async (intelligence) => {
        const task = await intelligence.task(id);
        context.stdout.write(
          `${JSON.stringify(options.history ? task.history : reportStatus(task), null, 2)}\n`,
        );
      }),
    );
  tasks
    .command('retry')
    .description('submit tasks that failed or were cancelled again')
    .argument('<ids...>', 'of the tasks')
    .action((ids: string[]) =>
      withTasks(context, async (intelligence) => {
        await eachTask(ids, context, async (id) => {
          await intelligence.retry(id);
          context.stderr.write(`${id} waits again\n`);
        });
        if (!(await intelligence.health()).hasWorker) context.stderr.write(`${NO_WORKER}.\n`);
      }),
    );
  tasks
    .command('cancel')
    .description('cancel tasks; what runs stops within seconds')
    .argument('<ids...>', 'of the tasks')
    .action((ids: string[]) =>
      withTasks(context, (intelligence) =>
        eachTask(ids, context, async (id) => {
          const task = await intelligence.cancel(id);
          context.stderr.write(hasEnded(task) ? `${id} is cancelled\n` : `${id} is to stop\n`);
        }),
      ),
    );
  registerMove(tasks, context);
}

async function list(
  intelligence: IntelligenceService,
  { state, limit, json }: ListOptions,
  { stdout, stderr }: CliContext,
): Promise<void> {
  const states = state === undefined ? undefined : [state];
  const { tasks, cursor } = await intelligence.list({ states, limit });
  const rows = tasks.map(summariseStatus);
  if (json) for (const row of rows) stdout.write(`${JSON.stringify(row)}\n`);
  else if (rows.length > 0) stdout.write(tableOf(rows));
  if (json) return;
  if (rows.length === 0)
    stderr.write(state === undefined ? 'There are no tasks.\n' : `No task is ${state}.\n`);
  if (cursor !== undefined) stderr.write('There are older ones: --limit shows more.\n');
}

/** One that cannot be is told of, and the others go on. */
async function eachTask(
  ids: readonly string[],
  context: CliContext,
  work: (id: string) => Promise<void>,
): Promise<void> {
  for (const id of ids) {
    try {
      await work(id);
    } catch (thrown) {
      const { code, message } = toAppError(thrown);
      if (code !== 'task_not_found' && code !== 'task_state') throw thrown;
      context.stderr.write(`percept: ${message}\n`);
      context.fail();
    }
  }
}

async function withTasks(
  context: CliContext,
  use: (intelligence: IntelligenceService) => Promise<void>,
): Promise<void> {
  const app = await context.openTasks(context.loadConfig().config);
  try {
    await use(app.intelligence);
  } finally {
    await app.close({ timeoutMs: CLOSE_MS });
  }
}

function tableOf(rows: readonly StatusSummary[]): string {
  const lines = rows.map((row) => [
    row.task_id,
    row.status,
    row.submitted_at.slice(0, 19).replace('T', ' '),
    String(row.attempt),
    oneLine(String(row.file_name ?? '')),
    oneLine(row.error ?? ''),
  ]);
  return formatTable([['ID', 'STATUS', 'SUBMITTED (UTC)', 'ATTEMPT', 'FILE', 'ERROR'], ...lines]);
}

/** Names of files come from clients: nothing of them may steer a terminal. */
function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ');
}
