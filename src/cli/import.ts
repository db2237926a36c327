/** `percept import NAME PATH` */
import type { Command } from 'commander';
import type { CliContext } from './context.ts';
import { installedJson, installedLine } from './models.ts';

export function register(program: Command, context: CliContext): void {
  program
    .command('import')
    .description('install a model from this machine, without a network')
    .argument('<name>', 'a known name such as whisper-base, or one of your own')
    .argument(
      '<path>',
      'directory in CTranslate2 format, of Hugging Face with safetensors, or of ChunkFormer; or silero_vad_16k_sequence.onnx',
    )
    .option('--json', 'print JSON')
    .action((name: string, path: string, options: { json?: true }) =>
      importModel({ name, path, asJson: options.json === true }, context),
    );
}

async function importModel(
  request: { readonly name: string; readonly path: string; readonly asJson: boolean },
  context: CliContext,
): Promise<void> {
  const store = context.openStore(context.loadConfig().config);
  try {
    const model = await store.import(request.name, request.path, { signal: context.signal });
    const text = request.asJson ? JSON.stringify(installedJson(model), null, 2) : installedLine(model);
    context.stdout.write(`${text}\n`);
  } finally {
    await store.close();
  }
}
