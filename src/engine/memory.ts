import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

/** A decoder below a model process, and a shell below that, is all there is. */
const MAX_DEPTH = 4;

/** Resident memory of a process and all below it, in bytes; 0 when it has ended or the system does not tell. */
export async function processTreeMemoryBytes(pid: number): Promise<number> {
  if (process.platform === 'linux') return linuxTree(pid, 0);
  if (process.platform === 'win32') return 0;
  return unixTree(pid);
}

/** The most that a process itself has held since it began, in bytes; undefined when it has ended or the system does not tell. */
export async function processPeakMemoryBytes(pid: number): Promise<number | undefined> {
  if (process.platform !== 'linux') return undefined;
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  const kibibytes = /^VmHWM:\s+(\d+) kB/m.exec(status)?.[1];
  return kibibytes === undefined ? undefined : Number(kibibytes) * 1024;
}

/** How many processes the system has ended for want of memory since it started; 0 where it does not tell. */
export function countMemoryKills(): number {
  if (process.platform !== 'linux') return 0;
  try {
    return Number(/^oom_kill (\d+)$/m.exec(readFileSync('/proc/vmstat', 'utf8'))?.[1] ?? 0);
  } catch {
    return 0;
  }
}

async function linuxTree(pid: number, depth: number): Promise<number> {
  try {
    const status = await readFile(`/proc/${pid}/status`, 'utf8');
    const own = Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024;
    if (depth === MAX_DEPTH) return own;
    // Absent on kernels without CONFIG_PROC_CHILDREN: then the process stands for itself.
    const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
    const sizes = children
      .split(' ')
      .filter(Boolean)
      .map((child) => linuxTree(Number(child), depth + 1));
    return (await Promise.all(sizes)).reduce((total, bytes) => total + bytes, own);
  } catch {
    return 0;
  }
}

async function unixTree(root: number): Promise<number> {
  const table = await promisify(execFile)('ps', ['-axo', 'pid=,ppid=,rss='], { timeout: 5_000 }).catch(
    () => undefined,
  );
  const rows = (table?.stdout ?? '').split('\n').map((row) => row.trim().split(/\s+/).map(Number));
  const sizeOf = (pid: number, depth: number): number => {
    if (depth > MAX_DEPTH) return 0;
    const own = rows.find(([id]) => id === pid)?.[2] ?? 0;
    const children = rows.filter(([, parent]) => parent === pid);
    return children.reduce((total, [child]) => total + sizeOf(child!, depth + 1), own * 1024);
  };
  return sizeOf(root, 0);
}
