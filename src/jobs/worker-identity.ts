/** Who a worker is, told apart over machines, containers and restarts, so that others of its host see at once when its process has ended. */
import { randomUUID } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import type { WorkerIdentity } from './queue.ts';

export function createWorkerIdentity(name = 'percept'): WorkerIdentity {
  return {
    id: randomUUID(),
    name: `${name}@${hostname()}`,
    host: hostIdentity(),
    pid: process.pid,
    processStart: processStart(process.pid),
  };
}

/** Whether the worker's process has certainly ended; false also where that cannot be told from here. */
export function hasProcessEnded(worker: WorkerIdentity): boolean {
  if (worker.host === undefined || worker.processStart === undefined || worker.host !== hostIdentity())
    return false;
  return processStart(worker.pid) !== worker.processStart;
}

let known: { readonly host: string | undefined } | undefined;

/** One boot of one kernel, and within it one space of process numbers: a container has its own, a restarted machine another. Copies of a machine that was saved while it ran differ by their names at best. */
function hostIdentity(): string | undefined {
  known ??= { host: readHost() };
  return known.host;
}

function readHost(): string | undefined {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    return `${hostname()} ${boot} ${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    return undefined;
  }
}

/** In clock ticks after boot; undefined where no such process is, where it has ended and only waits to be noticed, and without /proc. */
function processStart(pid: number): string | undefined {
  try {
    const line = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The command name, in brackets, may itself hold spaces and brackets.
    const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
  } catch {
    return undefined;
  }
}
