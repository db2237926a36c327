/**
 * Sinusoidal embeddings of distances (chunkformer modules/embedding.py, `RelPositionalEncodingWithRightContext`): row t stands for the
 * distance c+l-1-t from a frame of a chunk to one that it sees, [2c-1+l+r × width], row-major. Rounded to float32 at each step as
 * PyTorch does, since the angles are large.
 */
import type { ChunkSettings } from './settings.ts';

export function distanceEmbeddings(settings: ChunkSettings, width: number): Float32Array {
  const { chunkSize, leftContextSize } = settings;
  const count = distanceCount(settings);
  const embeddings = new Float32Array(count * width);
  const slope = Math.fround(-Math.log(10_000) / width);
  for (let row = 0; row < count; row += 1) {
    const distance = chunkSize + leftContextSize - 1 - row;
    for (let column = 0; column < width; column += 2) {
      const frequency = Math.fround(Math.exp(Math.fround(column * slope)));
      const angle = Math.fround(distance * frequency);
      embeddings[row * width + column] = Math.sin(angle);
      if (column + 1 < width) embeddings[row * width + column + 1] = Math.cos(angle);
    }
  }
  return embeddings;
}

export function distanceCount({ chunkSize, leftContextSize, rightContextSize }: ChunkSettings): number {
  return 2 * chunkSize - 1 + leftContextSize + rightContextSize;
}
