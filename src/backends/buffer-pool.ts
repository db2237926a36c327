/** Memory for tensors that come and go many times a second: taken and given back by hand, so that it does not wait for the garbage collector. */

export interface BufferPool {
  /** `length` numbers with whatever they held before. */
  take(length: number): Float32Array;
  /** The array must not be used afterwards. Others than those that were taken are ignored. */
  give(array: Float32Array): void;
}

/** Sizes are rounded up to a power of two's quarter, so that a sequence that grows by one fits into what the last one had. */
const STEPS = 4;
const SMALLEST = 2 ** 16;

/** Keeps what is given back, up to `mostBytes`; beyond that the oldest goes. */
export function createBufferPool(mostBytes: number): BufferPool {
  const free: ArrayBufferLike[] = [];
  const taken = new WeakSet<ArrayBufferLike>();
  let freeBytes = 0;

  function smallestOf(bytes: number): ArrayBufferLike | undefined {
    let best: ArrayBufferLike | undefined;
    for (const buffer of free) {
      // A much larger one is left for those who need it.
      if (buffer.byteLength < bytes || buffer.byteLength > 2 * bytes) continue;
      if (best === undefined || buffer.byteLength < best.byteLength) best = buffer;
    }
    return best;
  }

  return {
    take(length) {
      const bytes = roundUp(length) * Float32Array.BYTES_PER_ELEMENT;
      let buffer = smallestOf(bytes);
      if (buffer === undefined) buffer = new ArrayBuffer(bytes);
      else {
        free.splice(free.indexOf(buffer), 1);
        freeBytes -= buffer.byteLength;
      }
      taken.add(buffer);
      return new Float32Array(buffer, 0, length);
    },
    give({ buffer }) {
      if (!taken.delete(buffer)) return;
      free.push(buffer);
      freeBytes += buffer.byteLength;
      while (freeBytes > mostBytes) freeBytes -= free.shift()!.byteLength;
    },
  };
}

function roundUp(length: number): number {
  if (length <= SMALLEST) return SMALLEST;
  const step = 2 ** Math.floor(Math.log2(length)) / STEPS;
  return Math.ceil(length / step) * step;
}

/**
 * A few large pieces of memory for a user who wants at most `most` at a time, of any size: the largest there were serve all that need less.
 * Each has room for `least` numbers; what is not used of it is not resident.
 */
export function createSlab(least: number, most = 1): BufferPool {
  const spares: ArrayBufferLike[] = [];
  return {
    take(length) {
      const bytes = Math.max(length, least) * Float32Array.BYTES_PER_ELEMENT;
      const fits = spares.findIndex(({ byteLength }) => byteLength >= bytes);
      const [buffer = new ArrayBuffer(bytes)] = fits < 0 ? [] : spares.splice(fits, 1);
      return new Float32Array(buffer, 0, length);
    },
    give({ buffer }) {
      spares.push(buffer);
      spares.sort((a, b) => a.byteLength - b.byteLength);
      // The smallest goes.
      if (spares.length > most) spares.shift();
    },
  };
}
