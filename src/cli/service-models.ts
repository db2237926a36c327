/** What an installation of a service asks of the store: what its default model is, and to have it pulled. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { type Environment, readEnvironment } from '../config/environment.ts';
import type { Config } from '../config/schema.ts';
import { findUser } from '../install/accounts.ts';
import { warn } from '../install/findings.ts';
import type { ModelKeeper } from '../install/install.ts';
import type { Item } from '../install/items.ts';
import type { ModelFacts } from '../install/preflight.ts';
import type { Plan } from '../install/steps.ts';
import { UNIT_ENVIRONMENT } from '../install/unit.ts';
import { estimateMemoryBytes } from '../store/catalogue.ts';
import type { Store } from '../store/store.ts';
import type { CliContext } from './context.ts';

export interface ServiceModelsOptions {
  /** The installation that runs, which pulls for an image: its own copy there may be for another user. */
  readonly source: string;
  readonly pulls: boolean;
}

export function serviceModels(context: CliContext, options: ServiceModelsOptions): ModelKeeper {
  return {
    look: (name, config, home) =>
      withStore(context, { ...config, home }, async (store) => {
        const { base, entry, computeType } = await store.resolve(name, {
          defaultModel: config.models.speech,
          computeType: config.models.computeType,
        });
        return {
          name: base,
          memoryBytes: estimateMemoryBytes(entry, computeType),
          downloadBytes: entry.downloadBytes,
          isInstalled: (await store.find(base)) !== undefined,
        };
      }),
    item: (plan, model, report): Item => ({
      path: `model ${model.name}`,
      look: async () => {
        if (model.isInstalled) return 'same';
        return options.pulls ? 'missing' : { skipped: '--no-pull' };
      },
      async apply() {
        const pulled = await pull(plan, model, { ...options, context });
        if (pulled) return undefined;
        const { layout, service } = plan;
        const command = layout.isLive
          ? `sudo percept install ${service.name}`
          : `percept install ${service.name} --root ${layout.root}`;
        report(
          warn('pull-failed', `${model.name} could not be pulled. The command: ${command}.`, service.name),
        );
        return { skipped: 'could not be pulled' };
      },
    }),
  };
}

export async function withStore<T>(
  context: CliContext,
  config: Config,
  work: (store: Store) => Promise<T>,
): Promise<T> {
  const store = context.openStore(config);
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

/** Proxies, mirrors and certificates of the operator count for this one download; what is set for a Percept of their own does not. */
const KEPT =
  /^(PATH|LANG|(https?|all|no)_proxy|HF_(ENDPOINT|TOKEN)|PIP_INDEX_URL|SSL_CERT_FILE|NODE_EXTRA_CA_CERTS)$/i;

/** By a process of the service's user, so that all of it is that user's. Its progress and its error appear as they are. */
async function pull(
  { layout, node }: Plan,
  model: ModelFacts,
  { source, context }: ServiceModelsOptions & { readonly context: CliContext },
): Promise<boolean> {
  const user = layout.isLive ? await findUser(layout.root, layout.data.split('/').at(-1)!) : undefined;
  const home = layout.onDisk(layout.data);
  const [program, main] = layout.isLive
    ? [node.path, `${layout.current}/dist/src/main.js`]
    : [process.execPath, join(source, 'dist/src/main.js')];
  const words = ['--config', layout.onDisk(layout.json), '--data-dir', home, 'pull', model.name];
  const child = spawn(program, [main, ...words], {
    cwd: home,
    env: { ...kept(readEnvironment()), ...UNIT_ENVIRONMENT, HOME: home },
    stdio: ['ignore', 'ignore', 'pipe'],
    signal: context.signal,
    ...(user === undefined ? {} : user),
  });
  child.stderr.on('data', (chunk: Buffer) => context.stderr.write(chunk.toString()));
  const ended = once(child, 'exit') as Promise<[number | null]>;
  const [code] = await Promise.race([
    ended,
    once(child, 'error').then(([error]) => {
      throw context.signal.aborted ? context.signal.reason : error;
    }),
  ]);
  context.signal.throwIfAborted();
  return code === 0;
}

function kept(env: Environment): Environment {
  return Object.fromEntries(Object.entries(env).filter(([name]) => KEPT.test(name)));
}
