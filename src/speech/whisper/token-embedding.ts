/**
 * The embeddings of an int8 decoder's tokens, read from its weights on disk as they are asked for. The graph has the same table for its
 * last layer, in a form of ONNX Runtime's own; looking up there, too, would keep the table in memory twice (27 MB of whisper-base).
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { BLOCK_SIZE } from '../../graphs/layers.ts';

/** Where `BlockWeights` of [vocabulary × width] lie in a file, in bytes from its beginning. */
export interface StoredEmbedding {
  readonly values: number;
  readonly scales: number;
}

export interface TokenEmbedding {
  /** [tokens × width] */
  rows(tokens: readonly number[]): Float32Array;
  close(): void;
}

export function openTokenEmbedding(path: string, stored: StoredEmbedding, width: number): TokenEmbedding {
  const file = openSync(path, 'r');
  const values = new Uint8Array(width);
  const scales = new Float32Array(width / BLOCK_SIZE);
  return {
    rows(tokens) {
      const all = new Float32Array(tokens.length * width);
      for (const [row, token] of tokens.entries()) {
        readSync(file, values, { position: stored.values + token * values.byteLength });
        readSync(file, scales, { position: stored.scales + token * scales.byteLength });
        for (let index = 0; index < width; index += 1)
          all[row * width + index] = (values[index]! - 128) * scales[Math.floor(index / BLOCK_SIZE)]!;
      }
      return all;
    },
    close: () => closeSync(file),
  };
}
