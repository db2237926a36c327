#!/usr/bin/env node
/** Process entry: the command line to a command, errors to an exit code. */
import './young-generation.ts';
import { Command, CommanderError } from 'commander';
import { createApp } from './app.ts';
import { AppError, toAppError } from './base/errors.ts';
import { silentLogger } from './base/logger.ts';
import { addGlobalOptions, createContext } from './cli/context.ts';
import { EXIT_CODES } from './cli/exit-codes.ts';
import { forbidTelemetry, readEnvironment } from './config/environment.ts';
import { createLogger } from './logging.ts';
import { startService } from './serve.ts';
import { openTasks } from './tasks.ts';
import { readVersion } from './version.ts';

/** In the order in which help lists them. Imported when the process runs, so that a broken one is told of like any error. */
const COMMANDS = [
  () => import('./cli/serve.ts'),
  () => import('./cli/transcribe.ts'),
  () => import('./cli/classify.ts'),
  () => import('./cli/embed.ts'),
  () => import('./cli/search.ts'),
  () => import('./cli/generate.ts'),
  () => import('./cli/process.ts'),
  () => import('./cli/tasks.ts'),
  () => import('./cli/worker.ts'),
  () => import('./cli/pull.ts'),
  () => import('./cli/models.ts'),
  () => import('./cli/rm.ts'),
  () => import('./cli/import.ts'),
  () => import('./cli/config.ts'),
  () => import('./cli/doctor.ts'),
  () => import('./cli/hailo-bridge.ts'),
  () => import('./cli/install.ts'),
  () => import('./cli/verify.ts'),
  () => import('./cli/uninstall.ts'),
  () => import('./cli/bench.ts'),
  () => import('./cli/demo.ts'),
];

forbidTelemetry();
await main(process.argv);

async function main(argv: readonly string[]): Promise<void> {
  const program = addGlobalOptions(new Command('percept'))
    .description(
      'Speech recognition, image search and language models on your own machine, behind OpenAI’s API',
    )
    .version(readVersion())
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(text) });
  const env = readEnvironment();
  const context = createContext({
    program,
    env,
    // A getter, as the mere mention opens the stream.
    get stdin() {
      return process.stdin;
    },
    stdout: process.stdout,
    stderr: process.stderr,
    signal: interruptSignal(),
    // A command shows its own progress; only a server keeps a log.
    openSpeech: (config) => createApp({ config, env, logger: silentLogger }),
    openLanguage: (config) => createApp({ config, env, logger: silentLogger }),
    openVision: (config) => createApp({ config, env, logger: silentLogger }),
    openTasks: async (config, options) => {
      const logger = options?.work ? createLogger(config.log) : silentLogger;
      const app = createApp({ config, env, logger });
      const tasks = await openTasks(app, logger);
      return {
        intelligence: tasks.intelligence,
        async startWork() {
          tasks.keep();
          return tasks.startWork();
        },
        async close(limit) {
          await app.close(limit);
          await tasks.close();
        },
      };
    },
    startService: (config) => {
      const logger = createLogger(config.log);
      return startService(createApp({ config, env, logger }), logger);
    },
    fail: () => {
      process.exitCode = 1;
    },
  });
  try {
    for (const load of COMMANDS) (await load()).register(program, context);
    await program.parseAsync(argv);
  } catch (thrown) {
    process.exitCode = report(thrown);
  }
}

/** Fires at Ctrl-C or SIGTERM; the second one ends the process at once, as people expect. */
function interruptSignal(): AbortSignal {
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.once(name, () => controller.abort(new AppError('cancelled', 'Interrupted.')));
  }
  return controller.signal;
}

function report(thrown: unknown): number {
  if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? 0 : EXIT_CODES.usage;
  const error = toAppError(thrown);
  process.stderr.write(`percept: ${error.message}\n`);
  if (error.code === 'internal')
    process.stderr.write(`${(error.cause as Error | undefined)?.stack ?? error.stack}\n`);
  return EXIT_CODES[error.code];
}
