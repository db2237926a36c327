/** `percept uninstall NAME` */
import type { Command } from 'commander';
import { SERVICE_NAMES, serviceNamed } from '../install/services.ts';
import { uninstall } from '../install/uninstall.ts';
import type { CliContext } from './context.ts';

interface Options {
  readonly root?: string;
  readonly purge?: true;
  readonly json?: true;
}

export function register(program: Command, context: CliContext): void {
  program
    .command('uninstall')
    .description('remove a service of the system; its data and an edited configuration are kept')
    .argument('<name>', SERVICE_NAMES.join(', '))
    .option('--root <directory>', 'a directory tree in place of this machine')
    .option('--purge', 'remove data, configuration and user, too')
    .option('--json', 'print JSON')
    .action((name: string, options: Options) => run(name, options, context));
}

async function run(name: string, { root, purge, json }: Options, { stdout }: CliContext): Promise<void> {
  const service = serviceNamed(name);
  const removals = await uninstall({
    service,
    root,
    purge: purge === true,
    onRemoval: ({ change, path, remark }) => {
      if (!json) stdout.write(`${change.padEnd(8)} ${path}${remark === '' ? '' : ` (${remark})`}\n`);
    },
  });
  if (json) stdout.write(`${JSON.stringify({ service: name, removals }, null, 2)}\n`);
  else if (removals.every(({ change }) => change === 'kept'))
    stdout.write(`Nothing of ${name} is installed.\n`);
}
