/** Starts what was installed, and waits until it answers. */
import { sleep } from '../base/abort.ts';
import type { Config } from '../config/schema.ts';
import { ask, isSystemdRunning, must } from './commands.ts';
import { type Finding, fail, warn } from './findings.ts';
import type { Installed } from './install.ts';
import { startCommand, UNIT_ENVIRONMENT } from './unit.ts';

export interface Started {
  readonly state: 'started' | 'restarted' | 'running' | 'by hand' | 'image';
  readonly url: string;
  /** What starts it where systemd does not. */
  readonly command: string;
  readonly findings: readonly Finding[];
}

/** How long a server may take to listen: its default model is loaded beside it. */
const LISTEN_MS = 30_000;
/** How long the default model may take to be fetched, converted and loaded before the installation stops looking on. */
const READY_MS = 180_000;
const PAUSE_MS = 500;

/** A failure to start is a finding, as what was installed is whole: the next run starts it. */
export async function start(installed: Installed, signal: AbortSignal): Promise<Started> {
  const { layout, plan, mustRestart } = installed;
  const { name } = plan.service;
  const url = urlOf(plan.settings.config);
  const known = { url, command: byHand(installed), findings: [] };
  if (!layout.isLive) return { ...known, state: 'image' };
  if (!isSystemdRunning()) return { ...known, state: 'by hand' };
  const unit = `${name}.service`;
  const wasActive = (await ask('systemctl', ['is-active', '--quiet', unit])).code === 0;
  if (wasActive && !mustRestart) return { ...known, state: 'running' };
  await must('systemctl', ['daemon-reload']);
  const { code, output } = await ask('systemctl', ['restart', unit]);
  const state = wasActive ? 'restarted' : 'started';
  if (code !== 0) return { ...known, state, findings: [notStarted(name, output)] };
  if (!(await answers(`${url}/health`, { limitMs: LISTEN_MS, signal })))
    return { ...known, state, findings: [notStarted(name, `nothing answers at ${url}`)] };
  if (!(await answers(`${url}/health/ready`, { limitMs: READY_MS, signal }))) {
    const message = `The service answers at ${url}, but its default model is not loaded yet.`;
    return { ...known, state, findings: [warn('not-ready-yet', message, name)] };
  }
  return { ...known, state };
}

/** As this machine reaches it. */
export function urlOf({ server }: Config): string {
  const everywhere: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '[::1]' };
  const host = everywhere[server.host] ?? (server.host.includes(':') ? `[${server.host}]` : server.host);
  return `http://${host}:${server.port}`;
}

/** As its user, with what the unit gives it, but without its walls. */
function byHand({ layout, plan }: Pick<Installed, 'layout' | 'plan'>): string {
  const { name } = plan.service;
  const environment = Object.entries({ HOME: layout.data, ...UNIT_ENVIRONMENT }).map(
    ([variable, value]) => `${variable}=${value}`,
  );
  const user = ['setpriv', `--reuid=${name}`, `--regid=${name}`, '--init-groups', '--no-new-privs'];
  const command = startCommand({ layout, node: plan.node.path });
  return [`cd ${layout.data} &&`, ...user, 'env', ...environment, ...command].join(' ');
}

function notStarted(name: string, why: string): Finding {
  return fail('not-started', `The service does not start: ${why}.`, name);
}

async function answers(
  url: string,
  { limitMs, signal }: { readonly limitMs: number; readonly signal: AbortSignal },
): Promise<boolean> {
  const deadline = Date.now() + limitMs;
  while (Date.now() < deadline) {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(PAUSE_MS * 10)]);
    const status = await fetch(url, { signal: limit }).then(
      async (response) => {
        await response.body?.cancel();
        return response.status;
      },
      () => undefined,
    );
    signal.throwIfAborted();
    if (status === 200) return true;
    await sleep(PAUSE_MS, signal);
  }
  return false;
}
