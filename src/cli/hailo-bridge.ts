/** `percept hailo-bridge build`: the small library by which a Hailo-10H is used, built on the machine that has one. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { bridgePlaces, ownBridge } from '../backends/hailo/bridge-places.ts';
import { buildBridge } from '../backends/hailo/build-bridge.ts';
import { versionText } from '../backends/hailo/layouts.ts';
import { readEnvironment } from '../config/environment.ts';
import type { CliContext } from './context.ts';

interface Options {
  readonly output?: string;
  readonly include?: string;
}

export function register(program: Command, context: CliContext): void {
  program
    .command('hailo-bridge')
    .description('the bridge to a Hailo-10H: build')
    .command('build')
    .description('build the bridge with this machine’s C++ compiler and the headers of HailoRT')
    .option(
      '--output <file>',
      'where it is to lie; hailo/libpercept-hailo.so in the data directory unless given',
    )
    .option('--include <directory>', 'folder that holds hailo/infer_model.hpp; the usual ones unless given')
    .action((options: Options) => build(options, context));
}

async function build({ output, include }: Options, context: CliContext): Promise<void> {
  const { home, hailo } = context.loadConfig().config;
  const { path, compiler, version } = await buildBridge({
    output: resolve(output ?? ownBridge(home)),
    include: include === undefined ? undefined : resolve(include),
    library: hailo.library,
    env: readEnvironment(),
    signal: context.signal,
  });
  context.stdout.write(`${path}\n`);
  context.stderr.write(`Built with ${compiler} for HailoRT ${versionText(version)}.\n`);
  if (!bridgePlaces(home, hailo.bridge).includes(path))
    context.stderr.write(`It is not looked for there: set hailo.bridge to ${path}.\n`);
}
