/** Turns a CLIP checkpoint into what a model process loads: a graph for each encoder, and what else must be known of the model. */
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { GraphBuilder } from '../../graphs/graph-builder.ts';
import type { ComputeType } from '../../graphs/layers.ts';
import type { ClipCheckpoint, TextTower } from './checkpoint.ts';
import type { ConvertedClip } from './description.ts';
import { describeExported, isExported } from './exported.ts';
import { buildImageEncoder } from './image-graph.ts';
import { openClipCheckpoint, preprocessingOf } from './open-checkpoint.ts';
import { buildTextEncoder } from './text-graph.ts';

/** Part of the key under which conversions are cached: raise it with every change to what is written. */
export const CONVERTER_VERSION = 1;

export const IMAGE_FILE = 'image.onnx';
export const TEXT_FILE = 'text.onnx';
const DESCRIPTION_FILE = 'clip.json';

export function readConvertedClip(directory: string): ConvertedClip {
  return JSON.parse(readFileSync(join(directory, DESCRIPTION_FILE), 'utf8')) as ConvertedClip;
}

/** Writes what is made of the checkpoint in `source` into the directory `target`. Throws `unsupported_model`. */
export async function convertClip(source: string, target: string, compute: ComputeType): Promise<void> {
  const described = isExported(source)
    ? describeExported(source, compute)
    : await convertCheckpoint(source, target, compute);
  await writeDescription(target, described);
}

export async function writeTextEncoder(text: TextTower, target: string, compute: ComputeType): Promise<void> {
  const graph = new GraphBuilder('clip-text');
  buildTextEncoder(graph, { tower: text, compute });
  await graph.write(join(target, TEXT_FILE));
}

export function describeCheckpoint(
  { text, logitScale, logitBias }: Pick<ClipCheckpoint, 'text' | 'logitScale' | 'logitBias'>,
  facts: Pick<ConvertedClip, 'dimension' | 'preprocessing'>,
): ConvertedClip {
  return {
    ...facts,
    logitScale,
    ...(logitBias === undefined ? {} : { logitBias }),
    contextLength: text.contextLength,
    isPadded: !text.isCausal,
  };
}

export async function writeDescription(target: string, described: ConvertedClip): Promise<void> {
  await writeFile(join(target, DESCRIPTION_FILE), JSON.stringify(described));
}

async function convertCheckpoint(
  source: string,
  target: string,
  compute: ComputeType,
): Promise<ConvertedClip> {
  const checkpoint = openClipCheckpoint(source);
  try {
    const { image, text, logitScale, logitBias } = checkpoint;
    const preprocessing = preprocessingOf(source, image.imageSize);

    const imageGraph = new GraphBuilder('clip-image');
    const dimension = buildImageEncoder(imageGraph, { tower: image, compute, preprocessing });
    await imageGraph.write(join(target, IMAGE_FILE));

    await writeTextEncoder(text, target, compute);
    return describeCheckpoint({ text, logitScale, logitBias }, { dimension, preprocessing });
  } finally {
    checkpoint.close();
  }
}
