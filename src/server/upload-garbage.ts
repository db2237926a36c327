/**
 * Pieces of an upload are garbage as soon as they are on disk, but V8 counts objects and not the 64 KiB behind each: it lets 30 MB of
 * them gather. So the young ones are collected by hand every few megabytes, in less than a millisecond.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

type Collector = (options: { readonly type: 'minor' }) => void;

/** Bytes that may gather. */
const GATHERED_BYTES = 4 * 1024 ** 2;

let collector: Collector | undefined;

/** Passes the pieces on. A stage of a pipeline. */
export async function* collectingGarbage(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  collector ??= findCollector();
  let gathered = 0;
  for await (const piece of pieces) {
    yield piece;
    gathered += piece.length;
    if (gathered < GATHERED_BYTES) continue;
    collector({ type: 'minor' });
    gathered = 0;
  }
}

/** V8 shows it only to contexts that are made after the flag was set. */
function findCollector(): Collector {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as Collector;
}
