/** Both encoders of a CLIP model, for batches, whoever made them. */
import type { EncodedText } from './tokenizer.ts';

/** Embeddings are float32 [batch × dimension], each of length 1. */
export interface ClipEncoders {
  /** Pictures of the front end, uint8 [height × width × 3] each. */
  encodeImages(pictures: readonly Uint8Array<ArrayBuffer>[]): Promise<Float32Array>;
  encodeTexts(texts: readonly EncodedText[]): Promise<Float32Array>;
  close(): Promise<void>;
}

/** Ids [texts × length of the longest]; shorter ones go on with their last token, which nobody sees. */
export function alignTexts(texts: readonly EncodedText[]): { ids: BigInt64Array; length: number } {
  const length = Math.max(...texts.map(({ ids }) => ids.length));
  const aligned = new BigInt64Array(texts.length * length);
  texts.forEach(({ ids }, row) => {
    for (let place = 0; place < length; place += 1)
      aligned[row * length + place] = BigInt(ids[Math.min(place, ids.length - 1)]!);
  });
  return { ids: aligned, length };
}
