/** Memory for tensors that come and go many times a second: taken and given back by hand, so that it does not wait for the garbage collector. */

export interface Slab {
  /** At least so many bytes, with whatever they held before. */
  take(bytes: number): ArrayBuffer;
  /** The memory must not be used afterwards. */
  give(memory: ArrayBuffer): void;
}

export interface SlabOptions {
  /** Each piece has at least so many bytes; what is not used of it is not resident. */
  readonly least: number;
  /** How many pieces are kept for later. */
  readonly most: number;
  /** Larger pieces are not kept. */
  readonly largest?: number;
}

/** A piece that must be larger than all there were gets this much more than is asked for, since the next wish may be a little larger again. */
const GROWTH = 1.5;

/** A few large pieces of memory: the largest there were serve all that need less. */
export function createSlab({ least, most, largest = Number.POSITIVE_INFINITY }: SlabOptions): Slab {
  const spares: ArrayBuffer[] = [];
  return {
    take(bytes) {
      const fits = spares.findIndex(({ byteLength }) => byteLength >= bytes);
      if (fits >= 0) return spares.splice(fits, 1)[0]!;
      return new ArrayBuffer(bytes <= least ? least : Math.ceil(bytes * GROWTH));
    },
    give(memory) {
      if (memory.byteLength > largest) return;
      spares.push(memory);
      spares.sort((a, b) => a.byteLength - b.byteLength);
      // The smallest goes.
      if (spares.length > most) spares.shift();
    },
  };
}
