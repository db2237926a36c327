/** The defaults that depend on the machine and the user's folders. */
import { readFileSync } from 'node:fs';
import { availableParallelism, homedir, totalmem } from 'node:os';
import { isAbsolute, join } from 'node:path';
import type { Environment } from './environment.ts';

/** More threads than this slow one recognition down: its matrices are small. */
const MAX_THREADS = 8;
const MEMORY_SHARE = 0.6;

/** `$XDG_DATA_HOME/percept`, else `~/.local/share/percept`. */
export function defaultHome(env: Environment): string {
  return join(xdgFolder(env['XDG_DATA_HOME']) ?? join(userHome(env), '.local/share'), 'percept');
}

/** The folders that hold configuration, most specific first, as the XDG base directory specification orders them. */
export function configFolders(env: Environment): readonly string[] {
  const user = xdgFolder(env['XDG_CONFIG_HOME']) ?? join(userHome(env), '.config');
  const system = (env['XDG_CONFIG_DIRS'] || '/etc/xdg')
    .split(':')
    .flatMap((folder) => xdgFolder(folder) ?? []);
  return [...new Set([user, ...system])];
}

export function userHome(env: Environment): string {
  return env['HOME'] || homedir();
}

/** 60 % of what this process may use: the memory of the machine, or of its container when that is less. */
export function defaultMemoryBudgetBytes(): number {
  const limit = process.constrainedMemory();
  const total = limit > 0 ? Math.min(limit, totalmem()) : totalmem();
  return Math.floor(total * MEMORY_SHARE);
}

/** Physical cores that this process may run on, at most 8; hyperthreads share the multipliers and do not help. */
export function defaultThreads(): number {
  return Math.max(1, Math.min(availableParallelism(), physicalCores(), containerCores(), MAX_THREADS));
}

function physicalCores(): number {
  const cores = new Set<string>();
  let socket = '0';
  for (const line of readOrEmpty('/proc/cpuinfo').split('\n')) {
    const [name, value] = line.split(':').map((part) => part.trim());
    if (name === 'physical id') socket = value ?? '0';
    if (name === 'core id') cores.add(`${socket}/${value}`);
  }
  return cores.size || Number.POSITIVE_INFINITY;
}

/** The CPU time that control groups allow, in whole cores. */
function containerCores(): number {
  const [quota, period] = readOrEmpty('/sys/fs/cgroup/cpu.max').trim().split(' ').map(Number);
  if (!quota || !period) return Number.POSITIVE_INFINITY;
  return Math.max(1, Math.floor(quota / period));
}

/** A relative path in an XDG variable is to be ignored, says its specification. */
function xdgFolder(value: string | undefined): string | undefined {
  return value && isAbsolute(value) ? value : undefined;
}

/** These files do not exist on every system; without them the other limits decide. */
function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
