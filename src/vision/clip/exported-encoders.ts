/**
 * Encoders that were exported to ONNX in the layout of transformers.js: `vision_model.onnx` from `pixel_values` (float32
 * [batch × 3 × height × width]) to `image_embeds`, `text_model.onnx` from `input_ids` to `text_embeds`. SigLIP's give `pooler_output`.
 */

import { type OnnxSession, type OnnxTensor, openOnnxSession } from '../../backends/onnx.ts';
import { AppError } from '../../base/errors.ts';
import type { Preprocessing } from '../image/preprocessing.ts';
import { alignTexts, type ClipEncoders } from './encoders.ts';
import type { EncodedText } from './tokenizer.ts';

export interface ExportedStart {
  readonly imageGraph: string;
  readonly textGraph: string;
  readonly preprocessing: Pick<Preprocessing, 'mean' | 'std' | 'crop'>;
  readonly threads: number;
}

/** Throws `unsupported_model` for graphs with other inputs or outputs, `model_failed` when the runtime refuses one. */
export async function openExportedEncoders(start: ExportedStart): Promise<ClipEncoders> {
  const { imageGraph, textGraph, preprocessing, threads } = start;
  const image = await openOnnxSession(imageGraph, { threads, spins: true });
  const text = await openOnnxSession(textGraph, { threads, spins: true });
  const imageOutput = requireName(image.outputs, ['image_embeds', 'pooler_output'], imageGraph);
  const textOutput = requireName(text.outputs, ['text_embeds', 'pooler_output'], textGraph);
  requireName(image.inputs, ['pixel_values'], imageGraph);
  requireName(text.inputs, ['input_ids'], textGraph);
  const { width, height } = preprocessing.crop;
  return {
    async encodeImages(pictures) {
      const pixels = { data: normalise(pictures, preprocessing), dims: [pictures.length, 3, height, width] };
      const outputs = await image.run({ pixel_values: pixels }, [imageOutput]);
      return unitLength(outputs[imageOutput]!);
    },
    async encodeTexts(texts) {
      const outputs = await text.run(textFeeds(texts, text), [textOutput]);
      return unitLength(outputs[textOutput]!);
    },
    async close() {
      await image.close();
      await text.close();
    },
  };
}

function requireName(names: readonly string[], wanted: readonly string[], graph: string): string {
  const found = wanted.find((name) => names.includes(name));
  if (found !== undefined) return found;
  throw new AppError(
    'unsupported_model',
    `${graph} has ${names.join(', ')}, but ${wanted.join(' or ')} was expected: export the model with its projection, as transformers.js does.`,
  );
}

/** Colours apart, (x / 255 - mean) / std. */
function normalise(
  pictures: readonly Uint8Array[],
  { mean, std }: Pick<Preprocessing, 'mean' | 'std'>,
): Float32Array {
  const area = pictures[0]!.length / 3;
  const values = new Float32Array(pictures.length * area * 3);
  pictures.forEach((picture, index) => {
    for (let channel = 0; channel < 3; channel += 1) {
      const start = (index * 3 + channel) * area;
      const centre = mean[channel]!;
      const scale = std[channel]!;
      for (let pixel = 0; pixel < area; pixel += 1)
        values[start + pixel] = (picture[pixel * 3 + channel]! / 255 - centre) / scale;
    }
  });
  return values;
}

function textFeeds(texts: readonly EncodedText[], session: OnnxSession): Record<string, OnnxTensor> {
  const { ids, length } = alignTexts(texts);
  const dims = [texts.length, length];
  if (!session.inputs.includes('attention_mask')) return { input_ids: { data: ids, dims } };
  const mask = BigInt64Array.from(ids, (_, index) =>
    index % length <= texts[Math.floor(index / length)]!.end ? 1n : 0n,
  );
  return { input_ids: { data: ids, dims }, attention_mask: { data: mask, dims } };
}

function unitLength({ data, dims }: OnnxTensor): Float32Array {
  const rows = Float32Array.from(data as Float32Array);
  const dimension = dims[1]!;
  for (let start = 0; start < rows.length; start += dimension) {
    const row = rows.subarray(start, start + dimension);
    const length = Math.hypot(...row) || 1;
    for (let index = 0; index < dimension; index += 1) row[index]! /= length;
  }
  return rows;
}
