/** `percept rm NAME...` */
import type { Command } from 'commander';
import { AppError } from '../base/errors.ts';
import type { CliContext } from './context.ts';

export function register(program: Command, context: CliContext): void {
  program
    .command('rm')
    .description('remove installed models and what was converted from them')
    .argument('<names...>')
    .option('--json', 'print JSON')
    .action((names: string[], options: { json?: true }) => remove(names, options.json === true, context));
}

/** Removes what is there of `names`; throws `model_not_installed` at the end when some were not. */
async function remove(names: readonly string[], asJson: boolean, context: CliContext): Promise<void> {
  const store = context.openStore(context.loadConfig().config);
  const removed: string[] = [];
  try {
    for (const name of names) if (await store.remove(name)) removed.push(name);
  } finally {
    await store.close();
  }
  const missing = names.filter((name) => !removed.includes(name));
  if (asJson) context.stdout.write(`${JSON.stringify({ removed, missing })}\n`);
  else for (const name of removed) context.stdout.write(`${name} is removed.\n`);
  if (missing.length > 0) {
    throw new AppError(
      'model_not_installed',
      `${missing.join(', ')}: not installed. \`percept models\` lists what is.`,
    );
  }
}
