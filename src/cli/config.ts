/** `percept config` */
import type { Command } from 'commander';
import { configurationPage, describeConfig } from '../config/describe.ts';
import type { CliContext } from './context.ts';
import { printModelSettings } from './model-settings.ts';
import { formatTable } from './table.ts';

interface Options {
  readonly model?: string;
  readonly json?: true;
  readonly markdown?: true;
}

export function register(program: Command, context: CliContext): void {
  program
    .command('config')
    .description('print the resolved configuration and where each value came from')
    .option('--model <name>', 'print how a language model generates, and who decided each setting')
    .option('--json', 'print JSON')
    .option('--markdown', 'print the page of all keys (docs/configuration.md)')
    .action((options: Options) => print(options, context));
}

async function print({ model, json, markdown }: Options, context: CliContext): Promise<void> {
  if (model !== undefined) return printModelSettings(model, { asJson: json === true }, context);
  // The page is about every key and needs no valid configuration here.
  context.stdout.write(markdown ? configurationPage() : resolved(json === true, context));
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
