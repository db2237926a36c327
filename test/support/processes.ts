import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** Process ids of the children of this process that have not ended. */
export function childProcessIds(parent = process.pid): number[] {
  if (process.platform !== 'linux') {
    const rows = execFileSync('ps', ['-axo', 'pid=,ppid=,comm='], { encoding: 'utf8' }).split('\n');
    return rows
      .map((row) => row.trim().split(/\s+/))
      .filter(([, ppid, command]) => Number(ppid) === parent && command !== 'ps')
      .map(([pid]) => Number(pid));
  }
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => parentOf(name) === parent)
    .map(Number);
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Waits until the condition holds, or fails after ten seconds. */
export async function eventually(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`still not so after 10 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Why a test that needs `cpuSeconds` is skipped; false where it can run. */
export const NO_CPU_SECONDS = process.platform !== 'linux' && 'needs /proc to see a process at work';

/** Time of all cores that a process has used, in steps of 10 ms; 0 for one that has ended. Linux only. */
export function cpuSeconds(pid: number): number {
  const fields = statFields(String(pid));
  return fields === undefined ? 0 : (Number(fields[11]) + Number(fields[12])) / 100;
}

/** Undefined for one that has just ended. A zombie counts: somebody forgot to wait for it. */
function parentOf(pid: string): number | undefined {
  const fields = statFields(pid);
  return fields === undefined ? undefined : Number(fields[1]);
}

/** The fields of /proc/PID/stat from the third on. */
function statFields(pid: string): string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name in brackets may hold anything, even brackets.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}
