/** `percept tasks list|show|retry|cancel`: the queue as it stands, whether a server runs or not. */
import { type Command, Option } from 'commander';
import type { IntelligenceService } from '../intelligence/service.ts';
import { reportStatus, type StatusSummary, summariseStatus } from '../intelligence/status-report.ts';
import { hasEnded, TASK_STATES, type TaskState } from '../jobs/task.ts';
import type { CliContext } from './context.ts';
import { wholeNumberBetween } from './option-values.ts';
import { formatTable } from './table.ts';

const CLOSE_MS = 5000;

interface ListOptions {
  readonly state?: TaskState;
  readonly limit: number;
  readonly json?: true;
}

export function register(program: Command, context: CliContext): void {
  const tasks = program.command('tasks').description('the tasks of the queue: list, show, retry, cancel');
  tasks
    .command('list')
    .description('the newest tasks')
    .addOption(new Option('--state <state>', 'only those').choices(TASK_STATES))
    .option('--limit <number>', 'most tasks', wholeNumberBetween(1, 1000), 50)
    .option('--json', 'one JSON object a line')
    .action((options: ListOptions) =>
      withTasks(context, async (intelligence) => {
        const { tasks: found } = await intelligence.list({
          states: options.state === undefined ? undefined : [options.state],
          limit: options.limit,
        });
        const rows = found.map(summariseStatus);
        if (options.json) for (const row of rows) context.stdout.write(`${JSON.stringify(row)}\n`);
        else context.stdout.write(tableOf(rows));
      }),
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
        for (const id of ids) {
          await intelligence.retry(id);
          context.stderr.write(`${id} waits again\n`);
        }
      }),
    );
  tasks
    .command('cancel')
    .description('cancel tasks; what runs stops within seconds')
    .argument('<ids...>', 'of the tasks')
    .action((ids: string[]) =>
      withTasks(context, async (intelligence) => {
        for (const id of ids) {
          const task = await intelligence.cancel(id);
          context.stderr.write(hasEnded(task) ? `${id} is cancelled\n` : `${id} is to stop\n`);
        }
      }),
    );
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
    String(row.file_name ?? ''),
    row.error ?? '',
  ]);
  return formatTable([['ID', 'STATUS', 'SUBMITTED (UTC)', 'ATTEMPT', 'FILE', 'ERROR'], ...lines]);
}
