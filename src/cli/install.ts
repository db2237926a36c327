/** `percept install NAME` */
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { type Started, start } from '../install/control.ts';
import type { Finding } from '../install/findings.ts';
import { finish, type Installed, install, type Outcome } from '../install/install.ts';
import { SERVICE_NAMES, serviceNamed } from '../install/services.ts';
import { requireSafeBind } from '../server/auth.ts';
import type { CliContext } from './context.ts';
import { serviceModels } from './service-models.ts';

interface Options {
  readonly root?: string;
  readonly pull: boolean;
  readonly dryRun?: true;
  readonly json?: true;
}

/** The installation that runs: three folders above this file once built. */
const SOURCE = fileURLToPath(new URL('../../../', import.meta.url));

export function register(program: Command, context: CliContext): void {
  program
    .command('install')
    .description('install Percept as a service of the system (Linux, systemd), and again after each change')
    .argument('<name>', SERVICE_NAMES.join(', '))
    .option('--root <directory>', 'a directory tree, such as that of an image, in place of this machine')
    .option('--no-pull', 'leave the model to the service, which fetches it when it starts')
    .option('--dry-run', 'change nothing, and say what would be')
    .option('--json', 'print the report as JSON')
    .action((name: string, options: Options) => run(name, options, context));
}

async function run(name: string, options: Options, context: CliContext): Promise<void> {
  const service = serviceNamed(name);
  const isDryRun = options.dryRun === true;
  const outcomes: Outcome[] = [];
  const findings: Finding[] = [];
  const show = options.json ? () => undefined : (line: string) => context.stdout.write(`${line}\n`);
  const onFinding = (finding: Finding) => {
    findings.push(finding);
    show(`${finding.state.padEnd(12)} ${finding.message} ${finding.remedy}`);
  };
  const installed = await install({
    service,
    root: options.root,
    source: SOURCE,
    requireStartable: ({ server }) => requireSafeBind(server),
    models: serviceModels(context, { source: SOURCE, pulls: options.pull }),
    isDryRun,
    onFinding,
    onOutcome: (outcome) => {
      outcomes.push(outcome);
      show(outcomeLine(outcome, isDryRun));
    },
  });
  const started = isDryRun ? undefined : await start(installed, context.signal);
  for (const finding of started?.findings ?? []) onFinding(finding);
  if (started !== undefined) {
    // A service that does not start is started again by the next run.
    if (started.findings.every(({ state }) => state !== 'fail')) await finish(installed);
    show(whatNow(installed, started));
  }
  if (options.json)
    context.stdout.write(`${JSON.stringify(report({ installed, started, outcomes, findings }), null, 2)}\n`);
  if (findings.some(({ state }) => state === 'fail')) context.fail();
}

const WOULD: Readonly<Record<Outcome['change'], string>> = {
  made: 'would make',
  changed: 'would change',
  removed: 'would remove',
  kept: 'kept',
  skipped: 'skipped',
};

function outcomeLine({ change, path, remark }: Outcome, isDryRun: boolean): string {
  const word = isDryRun ? WOULD[change] : change;
  return `${word.padEnd(12)} ${path}${remark === '' ? '' : ` (${remark})`}`;
}

function whatNow({ layout, plan }: Installed, { state, url, command }: Started): string {
  const { name } = plan.service;
  switch (state) {
    case 'image':
      return `${name} is installed in ${layout.root}; it starts when that system does, on ${url}.`;
    case 'by hand':
      return `${name} is installed, for ${url}. This starts it by hand:\n  ${command}`;
    case 'running':
      return `${name} runs, on ${url}. Nothing had to be restarted.`;
    case 'started':
    case 'restarted':
      return `${name} was ${state}, on ${url}. To check it: sudo percept verify ${name}`;
    default:
      return state satisfies never;
  }
}

interface Report {
  readonly installed: Installed;
  readonly started: Started | undefined;
  readonly outcomes: readonly Outcome[];
  readonly findings: readonly Finding[];
}

function report({ installed, started, outcomes, findings }: Report): object {
  return {
    service: installed.plan.service.name,
    root: installed.layout.root,
    release: installed.plan.program.release,
    unchanged: installed.isUnchanged,
    steps: outcomes,
    findings,
    state: started?.state ?? 'dry run',
    url: started?.url ?? null,
    start_command: started?.command ?? null,
  };
}
