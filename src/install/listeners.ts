/** Who listens on a port of this machine, as the kernel tells every user. */
import { readFile } from 'node:fs/promises';

/** State of a socket in /proc/net/tcp: it listens. */
const LISTENS = '0A';

/** Ids of the users whose programs listen on it, on whatever address. Empty where nobody does, or where the system does not tell. */
export async function listenersOn(port: number): Promise<readonly number[]> {
  const tables = await Promise.all(
    ['/proc/net/tcp', '/proc/net/tcp6'].map((path) => readFile(path, 'utf8').catch(() => '')),
  );
  const rows = tables.flatMap((table) => table.split('\n').slice(1)).map((row) => row.trim().split(/\s+/));
  const found = rows.filter(
    ([, local, , state]) => state === LISTENS && Number.parseInt(local?.split(':')[1] ?? '', 16) === port,
  );
  return [...new Set(found.map((row) => Number(row[7])))];
}
