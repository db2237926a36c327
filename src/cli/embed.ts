/** `percept embed [IMAGE...] [--text TEXT]`, here or on a running server: a line of JSON for each. */
import type { Command } from 'commander';
import { AppError } from '../base/errors.ts';
import type { Embeddings } from '../vision/service.ts';
import type { CliContext } from './context.ts';
import { eachImage } from './each-image.ts';
import { readImageFile } from './image-files.ts';
import { collected } from './option-values.ts';
import { type SeerOptions, withSeer } from './seer.ts';

interface Options extends SeerOptions {
  readonly text?: readonly string[];
}

export function register(program: Command, context: CliContext): void {
  program
    .command('embed')
    .description('embeddings of pictures and texts in one space, a line of JSON each')
    .argument('[images...]', 'JPEG, PNG, WebP, GIF, AVIF or TIFF files')
    .option('--text <text>', 'a text; may be given several times', collected)
    .option('-m, --model <name>', 'vision model; the configured default when left out')
    .option('--server <url>', 'use a running server')
    .option('--api-key <key>', 'key of that server')
    .action((images: string[], options: Options) => embed(images, options, context));
}

async function embed(images: readonly string[], options: Options, context: CliContext): Promise<void> {
  const { text = [], model } = options;
  if (images.length + text.length === 0)
    throw new AppError('usage', 'Name the pictures to embed, or texts with --text.');
  const { signal, stdout } = context;
  const print = (what: object, { embeddings, dimension, model }: Embeddings, index = 0) =>
    stdout.write(
      `${JSON.stringify({ ...what, model, dimension, embedding: Array.from(embeddings[index]!) })}\n`,
    );
  // What is printed is for machines.
  await withSeer({ ...options, json: true }, context, async (seer) => {
    await eachImage(images, { context, json: true }, async (file) => {
      const image = { name: 'image', value: await readImageFile(file) };
      print({ file }, await seer.embedImages({ model, images: [image] }, signal));
    });
    if (text.length === 0) return;
    const texts = text.map((value) => ({ name: 'text', value }));
    const embedded = await seer.embedTexts({ model, texts }, signal);
    for (const [index, value] of text.entries()) print({ text: value }, embedded, index);
  });
}
