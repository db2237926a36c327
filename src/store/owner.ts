/**
 * Which process made a file: host, process id and start time, in the file's own name, so that what a dead process left
 * can be told from what a living one is using. The start time guards against a process id that was given out again.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';

/** `<host>.<pid>.<start>`; letters, digits and dots only. */
export function ownerTag(): string {
  return `${hostTag()}.${process.pid}.${startTime(process.pid) ?? '0'}`;
}

/**
 * Whether the process of a tag still runs. Of another host or container only the age of the file tells: it is taken for
 * dead when the file was last touched more than `staleMs` ago.
 */
export function isOwnerAlive(
  tag: string,
  file: { readonly touchedMs: number; readonly staleMs: number },
): boolean {
  const [host, pid, start] = tag.split('.');
  if (host !== hostTag()) return Date.now() - file.touchedMs < file.staleMs;
  const found = startTime(Number(pid));
  if (found !== undefined) return found === start || start === '0';
  return isProcessAlive(Number(pid));
}

function hostTag(): string {
  return createHash('sha256').update(hostname()).digest('hex').slice(0, 8);
}

/** In clock ticks after boot; undefined where there is no /proc. */
function startTime(pid: number): string | undefined {
  try {
    const line = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The command name, in brackets, may itself hold spaces and brackets.
    return line.slice(line.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}

function isProcessAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
