/** `percept pull [NAME...]` */
import type { Command } from 'commander';
import type { Config } from '../config/schema.ts';
import type { PullProgress } from '../store/pull.ts';
import type { InstalledModel, Store } from '../store/store.ts';
import type { CliContext } from './context.ts';
import { installedJson, installedLine } from './models.ts';
import { type Progress, startProgress } from './progress.ts';

export function register(program: Command, context: CliContext): void {
  program
    .command('pull')
    .description('download and verify models; without a name the default speech model')
    .argument('[names...]', 'such as base, whisper-large-v3-turbo or owner/name of the Hugging Face hub')
    .option('--json', 'print what was installed as JSON, without progress')
    .action((names: string[], options: { json?: true }) => pull(names, options.json === true, context));
}

async function pull(names: readonly string[], asJson: boolean, context: CliContext): Promise<void> {
  const { config } = context.loadConfig();
  const store = context.openStore(config);
  const installed: InstalledModel[] = [];
  try {
    for (const name of names.length > 0 ? names : [config.models.speech]) {
      const model = await pullOne(
        await baseOf(name, store, config),
        { store, showsProgress: !asJson },
        context,
      );
      installed.push(model);
      if (!asJson) context.stdout.write(`${installedLine(model)}\n`);
    }
  } finally {
    await store.close();
  }
  if (asJson) context.stdout.write(`${JSON.stringify(installed.map(installedJson), null, 2)}\n`);
}

/** Aliases such as whisper-1 depend on the configuration. */
async function baseOf(name: string, store: Store, { models }: Config): Promise<string> {
  return (await store.resolve(name, { defaultModel: models.speech, computeType: models.computeType })).base;
}

async function pullOne(
  base: string,
  { store, showsProgress }: { readonly store: Store; readonly showsProgress: boolean },
  context: CliContext,
): Promise<InstalledModel> {
  const bars = new PullProgressBars(context);
  try {
    const onProgress = showsProgress ? (event: PullProgress) => bars.show(event) : undefined;
    return await store.pull(base, { signal: context.signal, onProgress });
  } finally {
    bars.end();
  }
}

/** One bar for each model of a pull: the model itself, then what it works with. */
export class PullProgressBars {
  readonly #context: Pick<CliContext, 'stderr'>;
  /** The model whose bar is drawn now, with its bar. */
  #current: { readonly model: string; readonly progress: Progress } | undefined;

  constructor(context: Pick<CliContext, 'stderr'>) {
    this.#context = context;
  }

  show({ model, doneBytes, totalBytes }: PullProgress): void {
    if (this.#current?.model !== model) {
      this.end();
      this.#current = {
        model,
        progress: startProgress(this.#context.stderr, { label: model, unit: 'bytes' }),
      };
    }
    this.#current.progress.update(doneBytes, totalBytes);
  }

  end(): void {
    this.#current?.progress.end();
    this.#current = undefined;
  }
}
