/** Embeddings of pictures by the hash of their content: records of a SHA-256 and float32 values behind one another in one file. */
import { appendFile, mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';

const HASH_BYTES = 32;
/** Of the length of a float32 embedding. */
const ROUNDING = 1e-4;

export interface EmbeddingCache {
  /** `hash` in hexadecimal. */
  get(hash: string): Float32Array | undefined;
  put(hash: string, embedding: Float32Array): Promise<void>;
}

/** A record that was cut when a process ended is filled up with zeros, so that those behind it stand in their places, and never taken for one. */
export async function openEmbeddingCache(path: string, dimension: number): Promise<EmbeddingCache> {
  await mkdir(dirname(path), { recursive: true });
  const recordBytes = HASH_BYTES + 4 * dimension;
  const stored = await readFile(path).catch(() => Buffer.alloc(0));
  const cut = stored.length % recordBytes;
  if (cut !== 0) await appendFile(path, Buffer.alloc(recordBytes - cut));
  const known = new Map<string, Float32Array>();
  for (let start = 0; start + recordBytes <= stored.length; start += recordBytes) {
    const values = new Uint8Array(stored.subarray(start + HASH_BYTES, start + recordBytes));
    const embedding = new Float32Array(values.buffer);
    if (isWhole(embedding)) known.set(stored.toString('hex', start, start + HASH_BYTES), embedding);
  }
  return {
    get: (hash) => known.get(hash),
    async put(hash, embedding) {
      known.set(hash, embedding);
      const { buffer, byteOffset, byteLength } = embedding;
      const values = Buffer.from(buffer, byteOffset, byteLength);
      // One call, so that records of two processes stand one behind the other.
      await appendFile(path, Buffer.concat([Buffer.from(hash, 'hex'), values]));
    },
  };
}

/** Its length is 1, which it is not where numbers at its end are missing. */
function isWhole(embedding: Float32Array): boolean {
  return Math.abs(Math.hypot(...embedding) - 1) < ROUNDING;
}
