/** `percept verify NAME` */
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { AppError } from '../base/errors.ts';
import type { Config } from '../config/schema.ts';
import { SERVICE_NAMES, serviceNamed } from '../install/services.ts';
import type { Check, CheckedModel, Examples } from '../install/verified.ts';
import { verify } from '../install/verify.ts';
import type { Store } from '../store/store.ts';
import type { CliContext } from './context.ts';
import { withStore } from './service-models.ts';

interface Options {
  /** Of the program that asks. */
  readonly version: string;
  readonly root?: string;
  readonly url?: string;
  readonly key?: string;
  readonly json?: true;
}

const MODELS = new URL('../../../models/', import.meta.url);
const EXAMPLES: Examples = {
  recording: {
    path: fileURLToPath(new URL('speech-example/speech.wav', MODELS)),
    words: 'he might even have been made amiable himself',
  },
  picture: {
    path: fileURLToPath(new URL('clip-shapes/examples/two-blue-squares.png', MODELS)),
    label: 'two blue squares',
    others: ['a red circle', 'three yellow stars'],
  },
};
const TOY = 'clip-shapes';

export function register(program: Command, context: CliContext): void {
  program
    .command('verify')
    .description('check an installed service end to end: files, user, configuration, a real request')
    .argument('<name>', SERVICE_NAMES.join(', '))
    .option('--root <directory>', 'a directory tree in place of this machine; nothing is asked of a server')
    .option('--url <address>', 'where the service answers, if not where its configuration says')
    .option('--key <key>', 'API key, if not the first of its configuration')
    .option('--json', 'print the checks as JSON')
    .action((name: string, options: Omit<Options, 'version'>) =>
      run(name, { ...options, version: program.version()! }, context),
    );
}

async function run(
  name: string,
  { version, root, url, key, json }: Options,
  context: CliContext,
): Promise<void> {
  const checks = await verify({
    service: serviceNamed(name),
    root,
    url,
    apiKey: key,
    version,
    models: {
      check: (model, config, home, signal) =>
        withStore(context, { ...config, home }, (store) => checkModel(model, config, { store, signal })),
    },
    examples: EXAMPLES,
    signal: context.signal,
    onCheck: (check) => {
      if (!json) context.stdout.write(`${checkLine(check)}\n`);
    },
  });
  if (json) context.stdout.write(`${JSON.stringify({ service: name, checks }, null, 2)}\n`);
  if (checks.some(({ state }) => state === 'fail')) context.fail();
}

/** The id is what docs/troubleshooting.md is ordered by. */
function checkLine({ name, state, id, message, remedy }: Check): string {
  const rest = state === 'ok' ? message : `${message} ${remedy} [${id}]`;
  return `${state.padEnd(5)} ${name.padEnd(14)} ${rest}`;
}

async function checkModel(
  asked: string,
  { models }: Config,
  { store, signal }: { readonly store: Store; readonly signal: AbortSignal },
): Promise<CheckedModel> {
  const { base, entry, name } = await store.resolve(asked, {
    defaultModel: models.speech,
    computeType: models.computeType,
  });
  const { languages } = entry;
  const facts = {
    name,
    hearsEnglish: languages === 'multilingual' || languages.includes('en'),
    knowsExample: base === TOY,
  };
  try {
    await store.verify(base, { signal });
    return { ...facts, state: 'whole', message: `${base} is whole` };
  } catch (thrown) {
    if (!(thrown instanceof AppError)) throw thrown;
    const states = { model_not_installed: 'missing', checksum_mismatch: 'damaged' } as const;
    const state = states[thrown.code as keyof typeof states];
    if (state === undefined) throw thrown;
    return { ...facts, state, message: `${base} is ${state}: ${thrown.message}` };
  }
}
