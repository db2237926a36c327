/** `percept config` */
import type { Command } from 'commander';
import { configurationPage, describeConfig } from '../config/describe.ts';
import type { CliContext } from './context.ts';
import { formatTable } from './table.ts';

export function register(program: Command, context: CliContext): void {
  program
    .command('config')
    .description('print the resolved configuration and where each value came from')
    .option('--json', 'print JSON')
    .option('--markdown', 'print the page of all keys (docs/configuration.md)')
    .action((options: { json?: true; markdown?: true }) => {
      // The page is about every key and needs no valid configuration here.
      context.stdout.write(options.markdown ? configurationPage() : resolved(options.json === true, context));
    });
}

function resolved(asJson: boolean, context: CliContext): string {
  const rows = describeConfig(context.loadConfig());
  if (asJson) return `${JSON.stringify(rows, null, 2)}\n`;
  return formatTable([
    ['KEY', 'VALUE', 'FROM'],
    ...rows.map((row) => [row.key, inWords(row.value), row.origin]),
  ]);
}

function inWords(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
