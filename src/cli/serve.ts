/** `percept serve` */
import type { Command } from 'commander';
import type { CliContext } from './context.ts';

interface Options {
  readonly host?: string;
  readonly port?: string;
  readonly profile?: string;
}

export function register(program: Command, context: CliContext): void {
  program
    .command('serve')
    .description('answer the HTTP API')
    .option('--host <address>', 'address to listen on')
    .option('--port <number>', 'port to listen on; 0 takes any free one')
    .option('--profile <name>', 'all, hailo-whisper, hailo-clip or maie')
    .action((options: Options) => serve(options, context));
}

async function serve({ host, port, profile }: Options, context: CliContext): Promise<void> {
  const { config } = context.loadConfig({ 'server.host': host, 'server.port': port, profile });
  const service = await context.startService(config);
  await new Promise<void>((resolve) => {
    context.signal.addEventListener('abort', () => resolve(), { once: true });
    if (context.signal.aborted) resolve();
  });
  await service.stop();
}
