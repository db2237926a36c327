/**
 * One encoder block on its way over one part of a recording. Chunks are computed as soon as what lies to their right is there, and rows go as soon as no
 * chunk to come sees them: memory depends on the contexts, not on the length, and the result is that of the whole part at once.
 */
import type { Encoder } from './encoder.ts';
import { FrameWindow } from './frame-window.ts';
import type { Part } from './settings.ts';

/** What a part leaves of a block to the next one: rows just before its first frame. */
export interface BlockCache {
  /** [left context × width] */
  readonly key: Float32Array;
  readonly value: Float32Array;
  /** [reach × width] */
  readonly gated: Float32Array;
}

export interface BlockContext {
  readonly encoder: Encoder;
  readonly layer: number;
  readonly part: Part;
  readonly cache: BlockCache;
  /** Chunks that are computed at once. */
  readonly chunks: number;
}

export function emptyCache({ sizes, settings }: Encoder): BlockCache {
  const key = new Float32Array(settings.leftContextSize * sizes.width);
  return { key, value: key, gated: new Float32Array(reachOf(sizes.kernel) * sizes.width) };
}

/** Frames on each side that a convolution of so many taps sees. */
export function reachOf(kernel: number): number {
  return (kernel - 1) / 2;
}

export class BlockPass {
  readonly #context: BlockContext;
  readonly #reach: number;
  /** Chunks that hold the frames of the part; the last may be longer than what is left. */
  readonly #chunkCount: number;
  // Rows before attention, ...
  readonly #fed: FrameWindow;
  readonly #query: FrameWindow;
  readonly #key: FrameWindow;
  readonly #value: FrameWindow;
  // ... and after it.
  readonly #attended: FrameWindow;
  readonly #gated: FrameWindow;
  /** Chunks whose attention, and whose convolution, is computed. */
  #attendedChunks = 0;
  #finishedChunks = 0;
  /** Memory of the rows that were given last. */
  #finished = new Float32Array(0);
  #keptKeys: Pick<BlockCache, 'key' | 'value'> | undefined;
  #keptGated: Float32Array | undefined;

  constructor(context: BlockContext) {
    const { sizes, settings } = context.encoder;
    const { width } = sizes;
    this.#context = context;
    this.#reach = reachOf(sizes.kernel);
    this.#chunkCount = Math.ceil(context.part.frames / settings.chunkSize);
    this.#fed = new FrameWindow(width, 0);
    this.#query = new FrameWindow(width, 0);
    this.#key = windowAfter(context.cache.key, width);
    this.#value = windowAfter(context.cache.value, width);
    this.#attended = new FrameWindow(width, 0);
    this.#gated = windowAfter(context.cache.gated, width);
  }

  /** What this pass leaves to the next part; there once the frames that are kept have been computed. */
  get cache(): BlockCache {
    if (this.#keptKeys === undefined || this.#keptGated === undefined)
      throw new Error('The pass has not come so far.');
    return { ...this.#keptKeys, gated: this.#keptGated };
  }

  /** The rows of the block before, whole chunks at a time; gives the block's own. Each must be used before the next is asked for. */
  async *run(source: AsyncIterable<Float32Array>): AsyncGenerator<Float32Array> {
    for await (const rows of source) {
      await this.#project(rows);
      yield* this.#compute(false);
    }
    this.#key.append(this.#context.encoder.settings.rightContextSize).fill(0);
    this.#value.append(this.#context.encoder.settings.rightContextSize).fill(0);
    yield* this.#compute(true);
  }

  async #project(rows: Float32Array): Promise<void> {
    const { encoder, layer, part } = this.#context;
    const count = rows.length / encoder.sizes.width;
    await encoder.project(layer, rows, {
      stream: this.#fed.append(count),
      query: this.#query.append(count),
      key: this.#key.append(count),
      value: this.#value.append(count),
    });
    if (this.#keptKeys !== undefined || this.#key.end < part.kept) return;
    const before = part.kept - encoder.settings.leftContextSize;
    this.#keptKeys = {
      key: this.#key.view(before, part.kept).slice(),
      value: this.#value.view(before, part.kept).slice(),
    };
  }

  async *#compute(isEnd: boolean): AsyncGenerator<Float32Array> {
    const { settings } = this.#context.encoder;
    while (this.#attendedChunks < this.#chunksWithin(this.#fed.end - settings.rightContextSize, isEnd)) {
      await this.#attend(this.#batch(this.#attendedChunks));
      // Its end has nothing to its right.
      const isAllAttended = this.#attendedChunks === this.#chunkCount;
      if (isAllAttended) this.#gated.append(this.#reach).fill(0);
      while (this.#finishedChunks < this.#chunksWithin(this.#attended.end - this.#reach, isAllAttended))
        yield await this.#finish(this.#batch(this.#finishedChunks));
    }
  }

  /** Chunks that can be computed with full batches when rows reach so far, or at the end all. */
  #chunksWithin(end: number, isEnd: boolean): number {
    if (isEnd) return this.#chunkCount;
    const { chunks, encoder } = this.#context;
    const whole = Math.floor(end / encoder.settings.chunkSize);
    return Math.max(0, Math.floor(whole / chunks) * chunks);
  }

  #batch(first: number): Batch {
    const { chunkSize } = this.#context.encoder.settings;
    const count = Math.min(this.#context.chunks, this.#chunkCount - first);
    return { count, start: first * chunkSize, end: (first + count) * chunkSize };
  }

  /** Chunks lie one after another in the rows of their batch. */
  #starts(count: number): number[] {
    const { chunkSize } = this.#context.encoder.settings;
    return Array.from({ length: count }, (_, chunk) => chunk * chunkSize);
  }

  async #attend({ count, start, end }: Batch): Promise<void> {
    const { encoder, layer, part } = this.#context;
    const { chunkSize, leftContextSize, rightContextSize } = encoder.settings;
    const seenCount = leftContextSize + chunkSize + rightContextSize;
    const mask = new Float32Array(count * seenCount);
    for (let place = 0; place < mask.length; place += 1) {
      const frame = start + Math.floor(place / seenCount) * chunkSize - leftContextSize + (place % seenCount);
      // Nothing was before the recording, and nothing is after it.
      mask[place] = frame >= -part.start && frame < part.frames ? 0 : Number.NEGATIVE_INFINITY;
    }
    const [from, to] = [start - leftContextSize, end + rightContextSize];
    await encoder.attend(
      layer,
      {
        stream: this.#fed.view(start, end),
        query: this.#query.view(start, end),
        key: this.#key.view(from, to),
        value: this.#value.view(from, to),
        seen: { starts: this.#starts(count), count: seenCount, mask },
      },
      { stream: this.#attended.append(end - start), gated: this.#gated.append(end - start) },
    );
    this.#attendedChunks += count;
    this.#fed.dropBefore(end);
    this.#query.dropBefore(end);
    this.#key.dropBefore(end - leftContextSize);
    this.#value.dropBefore(end - leftContextSize);
    if (this.#keptGated === undefined && this.#gated.end >= part.kept)
      this.#keptGated = this.#gated.view(part.kept - this.#reach, part.kept).slice();
  }

  async #finish({ count, start, end }: Batch): Promise<Float32Array> {
    const { encoder, layer, part } = this.#context;
    const { chunkSize, rightContextSize } = encoder.settings;
    const seenCount = chunkSize + 2 * this.#reach;
    const mask = new Float32Array(count * seenCount);
    for (let place = 0; place < mask.length; place += 1) {
      const column = place % seenCount;
      const frame = start + Math.floor(place / seenCount) * chunkSize - this.#reach + column;
      const isThere = frame >= -part.start && frame < part.frames;
      mask[place] = isThere && column < this.#reach + chunkSize + rightContextSize ? 1 : 0;
    }
    const size = (end - start) * encoder.sizes.width;
    if (this.#finished.length < size) this.#finished = new Float32Array(size);
    const rows = this.#finished.subarray(0, size);
    await encoder.finish(
      layer,
      {
        stream: this.#attended.view(start, end),
        gated: this.#gated.view(start - this.#reach, end + this.#reach),
        seen: { starts: this.#starts(count), count: seenCount, mask },
      },
      rows,
    );
    this.#finishedChunks += count;
    this.#attended.dropBefore(end);
    this.#gated.dropBefore(end - this.#reach);
    return rows;
  }
}

/** Chunks computed at once: their frames. */
interface Batch {
  readonly count: number;
  readonly start: number;
  readonly end: number;
}

function windowAfter(rows: Float32Array, width: number): FrameWindow {
  const window = new FrameWindow(width, -rows.length / width);
  window.append(rows.length / width).set(rows);
  return window;
}
