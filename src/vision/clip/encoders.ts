/** Both encoders of a CLIP model, for batches: ours, or those that somebody has exported. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type OnnxSession, openOnnxSession } from '../../backends/onnx.ts';
import { IMAGE_FILE, TEXT_FILE } from './convert.ts';
import { openExportedEncoders } from './exported-encoders.ts';
import type { EncodedText } from './tokenizer.ts';

/** Embeddings are float32 [batch × dimension], each of length 1. */
export interface ClipEncoders {
  /** Pictures of the front end, uint8 [height × width × 3] each. */
  encodeImages(pictures: readonly Uint8Array[]): Promise<Float32Array>;
  encodeTexts(texts: readonly EncodedText[]): Promise<Float32Array>;
  close(): Promise<void>;
}

export interface EncodersStart {
  /** Of what `convert.ts` wrote. */
  readonly graphs: string;
  readonly threads: number;
}

/** Throws `model_failed` when the runtime refuses a graph. */
export async function openClipEncoders({ graphs, threads }: EncodersStart): Promise<ClipEncoders> {
  const image = await openOnnxSession(join(graphs, IMAGE_FILE), { threads });
  const text = await openOnnxSession(join(graphs, TEXT_FILE), { threads });
  return {
    encodeImages: (pictures) => encodeImages(image, pictures),
    encodeTexts: (texts) => encodeTexts(text, texts),
    async close() {
      await image.close();
      await text.close();
    },
  };
}

async function encodeImages(session: OnnxSession, pictures: readonly Uint8Array[]): Promise<Float32Array> {
  const [first] = pictures;
  const side = Math.sqrt(first!.length / 3);
  const { embeddings } = await session.run(
    { pixels: { data: joined(pictures), dims: [pictures.length, side, side, 3] } },
    ['embeddings'],
  );
  return embeddings!.data as Float32Array;
}

async function encodeTexts(session: OnnxSession, texts: readonly EncodedText[]): Promise<Float32Array> {
  const { ids, length } = alignTexts(texts);
  const ends = BigInt64Array.from(texts, ({ end }) => BigInt(end));
  const { embeddings } = await session.run(
    { ids: { data: ids, dims: [texts.length, length] }, ends: { data: ends, dims: [texts.length, 1] } },
    ['embeddings'],
  );
  return embeddings!.data as Float32Array;
}

function joined(pictures: readonly Uint8Array[]): Uint8Array {
  if (pictures.length === 1) return pictures[0]!;
  const all = new Uint8Array(pictures.length * pictures[0]!.length);
  pictures.forEach((picture, index) => all.set(picture, index * picture.length));
  return all;
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
