/**
 * clip-shapes in the shape in which CLIP is compiled for a Hailo device: an image encoder of bytes, and a text encoder from embeddings of tokens to
 * rows of the whole context. Run by ONNX Runtime at float32, it answers for the device in tests of what is around it.
 */
import { cp, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type OnnxSession, openOnnxSession } from '../../src/backends/onnx.ts';
import { GraphBuilder, type Value } from '../../src/graphs/graph-builder.ts';
import { float32 } from '../../src/graphs/tensor.ts';
import type { ClipCheckpoint, TextTower } from '../../src/vision/clip/checkpoint.ts';
import { buildImageEncoder } from '../../src/vision/clip/image-graph.ts';
import { openClipCheckpoint, preprocessingOf } from '../../src/vision/clip/open-checkpoint.ts';
import { runLayers } from '../../src/vision/clip/tower.ts';
import type { PlayedNetwork } from './hailo-player.ts';
import { type SyntheticLayer, writeHef } from './hef.ts';

const SHAPES = fileURLToPath(new URL('../../../models/clip-shapes/', import.meta.url));

export interface FixedClip {
  /** To be imported. */
  readonly directory: string;
  readonly networks: Readonly<Record<string, PlayedNetwork>>;
  close(): Promise<void>;
}

export interface FixedClipOptions {
  readonly hasText: boolean;
  /** The text encoder adds the positions itself; otherwise the host must. */
  readonly hasPositions: boolean;
  /** What its HEFs are written for; a Hailo-8 unless given. */
  readonly architecture?: 'HAILO8P' | 'HAILO10H';
}

const FLOAT = { compute: 'float32' } as const;

export async function fixedClip(
  directory: string,
  { hasText, hasPositions, architecture = 'HAILO8P' }: FixedClipOptions,
): Promise<FixedClip> {
  await mkdir(directory, { recursive: true });
  await cp(SHAPES, directory, { recursive: true, filter: (path) => !path.includes('examples') });
  const checkpoint = openClipCheckpoint(directory);
  const { imageSize } = checkpoint.image;
  const { contextLength, width } = checkpoint.text;
  const imageGraph = new GraphBuilder('image');
  const preprocessing = preprocessingOf(directory, imageSize);
  const dimension = buildImageEncoder(imageGraph, { tower: checkpoint.image, ...FLOAT, preprocessing });
  const image = await openOnnxSession(imageGraph.toBytes(), { threads: 1 });
  const text = await openOnnxSession(textGraph(checkpoint, hasPositions), { threads: 1 });
  checkpoint.close();

  const square: SyntheticLayer = { name: 'image/input', shape: [imageSize, imageSize, 3] };
  const rows = (name: string): SyntheticLayer => ({ name, shape: [1, contextLength, width] });
  const write = (file: string, name: string, input: SyntheticLayer, output: SyntheticLayer) =>
    writeFile(
      join(directory, file),
      writeHef({ architecture, groups: [{ name, inputs: [input], outputs: [output] }] }),
    );
  await write('shapes_image_encoder.hef', 'image', square, { name: 'image/fc1', shape: [1, 1, dimension] });
  if (hasText) await write('shapes_text_encoder.hef', 'text', rows('text/input'), rows('text/ln1'));
  return {
    directory,
    networks: {
      image: ([pixels]) => play(image, 'pixels', { data: pixels!, dims: [1, imageSize, imageSize, 3] }),
      text: ([embedded]) => play(text, 'embedded', { data: embedded!, dims: [1, contextLength, width] }),
    },
    async close() {
      await image.close();
      await text.close();
    },
  };
}

async function play(
  session: OnnxSession,
  input: string,
  frame: { readonly data: Float32Array | Uint8Array; readonly dims: readonly number[] },
): Promise<Float32Array[]> {
  const [output] = session.outputs;
  const outputs = await session.run({ [input]: frame }, [output!]);
  return [outputs[output!]!.data as Float32Array];
}

function textGraph({ text }: ClipCheckpoint, hasPositions: boolean): Uint8Array {
  const { contextLength, width } = text;
  const graph = new GraphBuilder('text');
  const embedded = graph.input('embedded', 'float32', [1, contextLength, width]);
  const stream = hasPositions ? addPositions(graph, embedded, text) : embedded;
  const hidden = runLayers(graph, stream, { tower: text, ...FLOAT, isCausal: text.isCausal });
  graph.output('hidden', hidden, { type: 'float32', dims: [1, contextLength, width] });
  return graph.toBytes();
}

function addPositions(graph: GraphBuilder, embedded: Value, text: TextTower): Value {
  const { contextLength, width } = text;
  return graph.node('Add', [embedded, graph.constant(float32(text.positions(), [1, contextLength, width]))]);
}
