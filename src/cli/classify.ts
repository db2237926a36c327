/** `percept classify IMAGE... --label TEXT...`, here or on a running server. */
import type { Command } from 'commander';
import { AppError } from '../base/errors.ts';
import type { CliContext } from './context.ts';
import { eachImage } from './each-image.ts';
import { readImageFile } from './image-files.ts';
import { collected, numberBetween, wholeNumberBetween } from './option-values.ts';
import type { Seer } from './see-remotely.ts';
import { type SeerOptions, withSeer } from './seer.ts';
import { formatTable } from './table.ts';

interface Options extends SeerOptions {
  readonly label: readonly string[];
  readonly template?: readonly string[];
  readonly topK?: number;
  readonly threshold?: number;
}

export function register(program: Command, context: CliContext): void {
  program
    .command('classify')
    .description('rank labels by how well they describe pictures')
    .argument('<images...>', 'JPEG, PNG, WebP, GIF, AVIF or TIFF files')
    .requiredOption('-l, --label <text>', 'what may be seen; give it several times', collected)
    .option(
      '-t, --template <text>',
      'sentence with {} in the place of the label; several are averaged',
      collected,
    )
    .option('-m, --model <name>', 'vision model; the configured default when left out')
    .option('-k, --top-k <number>', 'most labels of each picture', wholeNumberBetween(1, 1_000_000))
    .option('--threshold <number>', 'least score', numberBetween(0, 1))
    .option('--json', 'a line of JSON for each picture')
    .option('--server <url>', 'use a running server')
    .option('--api-key <key>', 'key of that server')
    .action((images: string[], options: Options) => classify(images, options, context));
}

async function classify(images: readonly string[], options: Options, context: CliContext): Promise<void> {
  if (options.label.some((label) => label.trim() === '')) throw new AppError('usage', 'A label is empty.');
  await withSeer(options, context, (seer) =>
    eachImage(images, { context, json: options.json === true }, (file) =>
      classifyOne(file, seer, { options, context, isOne: images.length === 1 }),
    ),
  );
}

async function classifyOne(
  file: string,
  seer: Seer,
  {
    options,
    context,
    isOne,
  }: { readonly options: Options; readonly context: CliContext; readonly isOne: boolean },
): Promise<void> {
  const { label, template = [], model, topK, threshold } = options;
  const request = {
    model,
    images: [{ name: 'image', value: await readImageFile(file) }],
    labels: label.map((value) => ({ name: 'label', value })),
    templates: template,
    topK,
    threshold,
  };
  const answer = await seer.classify(request, context.signal);
  const classifications = answer.rankings[0]!;
  if (options.json) {
    context.stdout.write(`${JSON.stringify({ file, classifications, model: answer.model })}\n`);
    return;
  }
  const rows = classifications.map(({ score, text }) => [score.toFixed(4), text]);
  context.stdout.write(isOne ? formatTable(rows) : `${file}\n${indented(formatTable(rows))}`);
}

function indented(text: string): string {
  return text.replaceAll(/^(?=.)/gm, '  ');
}
