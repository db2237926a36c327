/** Tokens as the compiled decoder takes them: a fixed number of rows, those after the text filled with token 0. */
import type { NpyTable } from '../../../graphs/npy.ts';

export interface Sequence {
  readonly tokens: readonly number[];
  /** [S × width] */
  readonly embedded: Float32Array;
}

export interface SequenceEmbedding {
  /** Throws when they are more than the sequence holds: whoever asks knows its length. */
  extend(sequence: Sequence | undefined, tokens: readonly number[]): Sequence;
}

export interface EmbeddingParts {
  readonly table: NpyTable;
  /** Rows of the sequence. */
  readonly length: number;
  /** Added to each place, where the decoder does not do it itself. */
  readonly positions: NpyTable | undefined;
}

/** What stands where no token is (Hailo's own loop fills up with it). */
const PAD = 0;

export function createSequenceEmbedding({ table, length, positions }: EmbeddingParts): SequenceEmbedding {
  const width = table.dims.at(-1)!;

  function write(target: Float32Array, place: number, token: number): void {
    const row = table.row(token);
    if (positions !== undefined) {
      const position = positions.row(place);
      for (let index = 0; index < width; index += 1) row[index]! += position[index]!;
    }
    target.set(row, place * width);
  }

  const empty = new Float32Array(length * width);
  for (let place = 0; place < length; place += 1) write(empty, place, PAD);

  return {
    extend(sequence, added) {
      const before = sequence?.tokens ?? [];
      if (before.length + added.length > length)
        throw new Error(`${before.length + added.length} tokens do not fit into ${length}.`);
      const embedded = (sequence?.embedded ?? empty).slice();
      for (const [index, token] of added.entries()) write(embedded, before.length + index, token);
      return { tokens: [...before, ...added], embedded };
    },
  };
}
