/**
 * What the host needs of a CLIP checkpoint whose encoders were compiled: its text encoder for the CPU, and where texts can be read on the
 * device, the tables before and behind that. The image encoder holds its normalisation and its projection.
 */
import { join } from 'node:path';
import type { ComputeType } from '../../../graphs/layers.ts';
import { writeNpy } from '../../../graphs/npy.ts';
import type { TextTower } from '../checkpoint.ts';
import { describeCheckpoint, writeDescription, writeTextEncoder } from '../convert.ts';
import { openClipCheckpoint, preprocessingOf } from '../open-checkpoint.ts';
import { filesIn } from './files.ts';

/** Part of the key under which conversions are cached: raise it with every change to what is written. */
export const CONVERTER_VERSION = 1;

/** [vocabulary × width], [context × width], [dimension × width] and [1 × dimension] */
export const TEXT_TABLES = {
  tokens: 'tokens.npy',
  positions: 'positions.npy',
  projection: 'projection.npy',
  bias: 'projection-bias.npy',
} as const;

/** CLIP's usual pictures, where the model's files do not say. */
const USUAL_IMAGE_SIZE = 224;

/** Throws `unsupported_model`. */
export async function convertHailoClip(source: string, target: string, compute: ComputeType): Promise<void> {
  const checkpoint = openClipCheckpoint(source);
  try {
    const { text } = checkpoint;
    await writeTextEncoder(text, target, compute);
    if (filesIn(source).text !== undefined) await writeTables(text, target);
    const dimension = text.projection().outputSize;
    const preprocessing = preprocessingOf(source, USUAL_IMAGE_SIZE);
    await writeDescription(target, describeCheckpoint(checkpoint, { dimension, preprocessing }));
  } finally {
    checkpoint.close();
  }
}

async function writeTables(text: TextTower, target: string): Promise<void> {
  const { vocabulary, contextLength, width } = text;
  const { weight, bias, outputSize } = text.projection();
  const write = (name: string, data: Float32Array, dims: readonly number[]) =>
    writeNpy(join(target, name), data, dims);
  await write(TEXT_TABLES.tokens, text.tokens(), [vocabulary, width]);
  await write(TEXT_TABLES.positions, text.positions(), [contextLength, width]);
  await write(TEXT_TABLES.projection, weight, [outputSize, width]);
  await write(TEXT_TABLES.bias, bias ?? new Float32Array(outputSize), [1, outputSize]);
}
