/** `percept models`, and `percept models inspect` below it */
import type { Command } from 'commander';
import { CATALOGUE } from '../store/catalogue.ts';
import type { CatalogueEntry } from '../store/catalogue-entry.ts';
import type { InstalledModel } from '../store/store.ts';
import type { CliContext } from './context.ts';
import { register as registerInspect } from './inspect.ts';
import { formatTable } from './table.ts';
import { formatBytes } from './units.ts';

export function register(program: Command, context: CliContext): void {
  const models = program
    .command('models')
    .description('list installed models')
    .option('--all', 'also those that could be pulled')
    .option('--json', 'print JSON')
    .action((options: { all?: true; json?: true }) => list(options, context));
  registerInspect(models, context);
}

/** An installed model in one line: where it came from, under which licence, and where it lies. */
export function installedLine({ manifest, directory }: InstalledModel): string {
  const from = `${manifest.source.type} ${manifest.source.id}`;
  return `${manifest.name} is installed: ${formatBytes(sizeBytes({ manifest }))}, ${from}, licence ${manifest.licence}, in ${directory}`;
}

/** An installed model for machines. */
export function installedJson({ manifest, directory }: InstalledModel) {
  return { ...manifest, sizeBytes: sizeBytes({ manifest }), directory };
}

async function list(
  options: { readonly all?: true; readonly json?: true },
  context: CliContext,
): Promise<void> {
  const store = context.openStore(context.loadConfig().config);
  const installed = await store.list();
  await store.close();
  const names = installed.map((model) => model.manifest.name);
  const available = options.all ? CATALOGUE.filter((entry) => !names.includes(entry.name)) : [];
  if (options.json) {
    const document = { installed: installed.map(installedJson), ...(options.all ? { available } : {}) };
    context.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
    return;
  }
  if (installed.length + available.length === 0) {
    context.stderr.write(
      'No model is installed. Install the default one with `percept pull`; see others with `percept models --all`.\n',
    );
    return;
  }
  const head = ['NAME', 'SIZE', 'FORMAT', 'LICENCE', 'FROM'];
  context.stdout.write(formatTable([head, ...installed.map(installedRow), ...available.map(availableRow)]));
}

function installedRow(model: InstalledModel): string[] {
  const { name, format, licence, source } = model.manifest;
  return [name, formatBytes(sizeBytes(model)), format, licence, `${source.type} ${source.id}`];
}

function availableRow(entry: CatalogueEntry): string[] {
  return [
    entry.name,
    formatBytes(entry.downloadBytes),
    '-',
    entry.licence ?? 'stated by its origin',
    'not installed',
  ];
}

function sizeBytes({ manifest }: Pick<InstalledModel, 'manifest'>): number {
  return manifest.files.reduce((sum, file) => sum + file.sizeBytes, 0);
}
