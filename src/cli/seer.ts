/** Who looks at pictures for a command: this machine, or a server. */
import type { CliContext } from './context.ts';
import { prepareModel } from './prepare-model.ts';
import { type Seer, seeRemotely } from './see-remotely.ts';

export interface SeerOptions {
  readonly model?: string;
  readonly json?: true;
  readonly server?: string;
  readonly apiKey?: string;
}

/** Installs the model if it has to, and closes what it opened. */
export async function withSeer(
  options: SeerOptions,
  context: CliContext,
  work: (seer: Seer) => Promise<void>,
): Promise<void> {
  const { server, apiKey, model } = options;
  if (server !== undefined) return work(seeRemotely({ server, apiKey }));
  const app = context.openVision(context.loadConfig().config);
  try {
    await prepareModel(app.vision, model, { context, isQuiet: options.json === true });
    await work(app.vision);
  } finally {
    await app.close({ timeoutMs: 0 });
  }
}
