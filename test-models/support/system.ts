/** A system of its own, with or without systemd, over this machine's files: what is installed there harms nothing and is gone with it. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, rmdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readEnvironment } from '../../src/config/environment.ts';
import { findProgram } from '../../src/install/commands.ts';
import { childProcessIds } from '../../test/support/processes.ts';
import { testHome } from './home.ts';

export const REPOSITORY = fileURLToPath(new URL('../../../', import.meta.url));
const BOOT = join(REPOSITORY, 'test-models/support/boot-system.sh');
const MAIN = join(REPOSITORY, 'dist/src/main.js');
const CONTROL_GROUPS = '/sys/fs/cgroup';

export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface System {
  /** A command line of its shell, as root. */
  shell(line: string): Promise<Ended>;
  percept(...words: string[]): Promise<Ended>;
  stop(): Promise<void>;
}

/** Why no such system can be had here; false where it can. */
export function whyNoSystem(): string | false {
  if (readEnvironment()['PERCEPT_TEST_INSTALL'] !== '1') return 'PERCEPT_TEST_INSTALL is not 1';
  if (process.getuid?.() !== 0) return 'only root can make a system of its own';
  const missing = ['unshare', 'nsenter', 'setpriv', 'ip'].filter((name) => findProgram(name) === undefined);
  if (missing.length > 0) return `needs ${missing.join(', ')}`;
  return existsSync('/lib/systemd/systemd') ? false : 'systemd is not installed';
}

/** Throws with what it said when it does not come up. */
export async function bootSystem(init: 'systemd' | 'none'): Promise<System> {
  const folder = await mkdtemp(join(tmpdir(), 'percept-system-'));
  const groups = await ownControlGroups(basename(folder));
  const namespaces = ['--mount', '--pid', '--fork', '--kill-child', '--cgroup', '--uts', '--ipc', '--net'];
  const words = [...namespaces, 'bash', BOOT, folder, init, REPOSITORY, testHome()];
  // It is moved before it makes namespaces of its own, so that the groups that systemd makes are below these.
  const moves = groups.map((group) => `echo $$ >${group}/cgroup.procs`);
  const script = [...moves, 'exec unshare "$@"'].join('\n');
  const child = spawn('sh', ['-c', script, 'sh', ...words], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk));
  const stop = async () => {
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    for (const group of groups) await removeGroup(group);
    await rm(folder, { recursive: true, force: true });
  };
  const system = { ...commandsIn(child), stop };
  try {
    await untilUp(system, { child, init });
    return system;
  } catch (cause) {
    await stop();
    throw new Error(`The system did not come up: ${said}`, { cause });
  }
}

function commandsIn(child: ChildProcess): Pick<System, 'shell' | 'percept'> {
  const run = (words: readonly string[]) =>
    new Promise<Ended>((resolve) => {
      const first = childProcessIds(child.pid)[0];
      const enter = ['--target', String(first), '--all', '--root', '--wd', 'env', '-i', 'HOME=/root', PATH];
      execFile('nsenter', [...enter, ...words], { maxBuffer: 2 ** 24 }, (error, stdout, stderr) =>
        resolve({ code: error === null ? 0 : Number(error.code ?? 1), stdout, stderr }),
      );
    });
  return {
    shell: (line) => run(['sh', '-c', line]),
    percept: (...words) => run([process.execPath, MAIN, ...words]),
  };
}

const PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const UP_MS = 20_000;

async function untilUp(
  { shell }: Pick<System, 'shell'>,
  { child, init }: { readonly child: ChildProcess; readonly init: 'systemd' | 'none' },
): Promise<void> {
  const question = init === 'systemd' ? 'systemctl is-system-running' : 'cat /proc/1/comm';
  const answer = init === 'systemd' ? /^(running|degraded)$/m : /^sleep$/m;
  for (const end = Date.now() + UP_MS; Date.now() < end; ) {
    if (child.exitCode !== null) throw new Error(`ended with ${child.exitCode}`);
    if (answer.test((await shell(question)).stdout)) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error('it took too long');
}

/** One in each hierarchy of this machine, so that nothing of the system's is left in others. */
async function ownControlGroups(name: string): Promise<string[]> {
  const isUnified = existsSync(join(CONTROL_GROUPS, 'cgroup.controllers'));
  const found = isUnified ? [''] : await readdir(CONTROL_GROUPS);
  const groups: string[] = [];
  for (const hierarchy of found) {
    const group = join(CONTROL_GROUPS, hierarchy, name);
    const isUsable = existsSync(join(CONTROL_GROUPS, hierarchy, 'cgroup.procs')) && hierarchy !== 'cpuset';
    if (
      isUsable &&
      (await mkdir(group).then(
        () => true,
        () => false,
      ))
    )
      groups.push(group);
  }
  return groups;
}

/** Inner ones first; their processes have ended by now, or do so in a moment. */
async function removeGroup(group: string): Promise<void> {
  for (const entry of await readdir(group, { withFileTypes: true }).catch(() => []))
    if (entry.isDirectory()) await removeGroup(join(group, entry.name));
  for (let attempt = 0; attempt < 50; attempt += 1) {
    if (
      await rmdir(group).then(
        () => true,
        () => false,
      )
    )
      return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
