/** Resident memory of a process and all below it, watched from outside. Linux only. */
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';

export interface TreeMemory {
  /** Of all processes together, at one moment. What they share counts once for each. */
  readonly sumBytes: number;
}

export interface TreePeaks extends TreeMemory {
  /** By role, the most that a process of it has held since it began (VmHWM), seen before it ended. */
  readonly byRole: ReadonlyMap<string, number>;
}

export interface TreeWatch {
  /** The peaks since the watch began. */
  stop(): Promise<TreePeaks>;
}

const SAMPLE_INTERVAL_MS = 100;

/** Looks ten times a second until it is stopped. */
export function watchTree(pid: number): TreeWatch {
  const byRole = new Map<string, number>();
  let sumBytes = 0;
  let isStopped = false;
  const sample = async () => {
    const processes = await readTree(pid);
    sumBytes = Math.max(sumBytes, sumOfResident(processes));
    for (const { role, peakBytes } of processes) byRole.set(role, Math.max(byRole.get(role) ?? 0, peakBytes));
  };
  const watch = async () => {
    while (!isStopped) {
      await sample();
      await new Promise((resolve) => setTimeout(resolve, SAMPLE_INTERVAL_MS));
    }
    await sample();
  };
  const watched = watch();
  return {
    async stop() {
      isStopped = true;
      await watched;
      return { sumBytes, byRole };
    },
  };
}

/** Now. */
export async function treeMemory(pid: number): Promise<TreeMemory> {
  return { sumBytes: sumOfResident(await readTree(pid)) };
}

interface ProcessMemory {
  readonly role: string;
  readonly residentBytes: number;
  readonly peakBytes: number;
}

function sumOfResident(processes: readonly ProcessMemory[]): number {
  return processes.reduce((sum, { residentBytes }) => sum + residentBytes, 0);
}

/** Without those that end meanwhile. */
async function readTree(pid: number): Promise<ProcessMemory[]> {
  try {
    const [status, command, children] = await Promise.all([
      readFile(`/proc/${pid}/status`, 'utf8'),
      readFile(`/proc/${pid}/cmdline`, 'utf8'),
      readFile(`/proc/${pid}/task/${pid}/children`, 'utf8'),
    ]);
    const bytesOf = (field: string) =>
      Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0) * 1024;
    const own = { role: roleOf(command), residentBytes: bytesOf('VmRSS'), peakBytes: bytesOf('VmHWM') };
    const below = await Promise.all(children.split(' ').filter(Boolean).map(Number).map(readTree));
    return [own, ...below.flat()];
  } catch {
    return [];
  }
}

/** Named for the script that an interpreter runs, else for the program. */
function roleOf(command: string): string {
  const words = command.split('\0').map((word) => basename(word));
  const script = words.find((word) => /\.(js|py)$/.test(word));
  return (script ?? words[0] ?? '').replace(/\.(js|py)$/, '');
}
