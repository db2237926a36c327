/** Encoders of the graphs that `convert.ts` wrote. */
import { join } from 'node:path';
import { type OnnxSession, openOnnxSession } from '../../backends/onnx.ts';
import { IMAGE_FILE, TEXT_FILE } from './convert.ts';
import { alignTexts, type ClipEncoders } from './encoders.ts';
import type { EncodedText } from './tokenizer.ts';

export interface OwnStart {
  /** Of what `convert.ts` wrote. */
  readonly graphs: string;
  readonly threads: number;
}

/** Throws `model_failed` when the runtime refuses a graph. */
export async function openOwnEncoders({ graphs, threads }: OwnStart): Promise<ClipEncoders> {
  const image = await openOnnxSession(join(graphs, IMAGE_FILE), { threads, spins: true });
  const text = await openOnnxSession(join(graphs, TEXT_FILE), { threads, spins: true });
  return {
    encodeImages: (pictures) => encodeImages(image, pictures),
    encodeTexts: (texts) => encodeTexts(text, texts),
    async close() {
      await image.close();
      await text.close();
    },
  };
}

/** The text encoder alone, where pictures are encoded elsewhere. Throws as `openOwnEncoders` does. */
export async function openOwnText({
  graphs,
  threads,
}: OwnStart): Promise<Omit<ClipEncoders, 'encodeImages'>> {
  const text = await openOnnxSession(join(graphs, TEXT_FILE), { threads, spins: true });
  return { encodeTexts: (texts) => encodeTexts(text, texts), close: () => text.close() };
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
  for (const [index, picture] of pictures.entries()) all.set(picture, index * picture.length);
  return all;
}
