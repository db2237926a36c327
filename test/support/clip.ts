/** The golden checkpoints of test/fixtures/clip: small random weights, and what the published packages make of them. */
import { cp, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { ComputeType } from '../../src/graphs/layers.ts';
import { convertClip } from '../../src/vision/clip/convert.ts';
import { temporaryFolder } from './temporary.ts';

export const LAYOUTS = ['huggingface', 'openclip', 'siglip', 'tinyclip', 'exported'] as const;
export type Layout = (typeof LAYOUTS)[number];

export interface Golden {
  readonly size: number;
  readonly contextLength: number;
  readonly logitScale: number;
  readonly logitBias?: number;
  readonly pictures: readonly {
    readonly pixels: Uint8Array<ArrayBuffer>;
    readonly embedding: Float32Array;
  }[];
  readonly texts: readonly {
    readonly text: string;
    readonly ids: readonly number[];
    readonly embedding: Float32Array;
  }[];
  /** [pictures × texts] */
  readonly logits: Float32Array;
  readonly scores: Float32Array;
}

const FIXTURES = new URL('../../../test/fixtures/clip/', import.meta.url);

/** A folder with the checkpoint, flat as the store installs it. */
export async function clipCheckpoint(context: TestContext, layout: Layout): Promise<string> {
  const folder = await temporaryFolder(context);
  await cp(new URL(`${layout}/`, FIXTURES), folder, { recursive: true });
  if (layout === 'exported') await cp(join(folder, 'onnx'), folder, { recursive: true });
  return folder;
}

export async function convertedClip(
  context: TestContext,
  source: string,
  compute: ComputeType,
): Promise<string> {
  const target = await temporaryFolder(context);
  await convertClip(source, target, compute);
  return target;
}

export async function readGolden(layout: Layout): Promise<Golden> {
  const text = await readFile(fileURLToPath(new URL(`${layout}/golden.json`, FIXTURES)), 'utf8');
  const json = JSON.parse(text) as Record<string, unknown>;
  const row = (item: unknown) => {
    const { embedding, ...rest } = item as Record<string, unknown>;
    return { ...rest, embedding: floats(embedding) };
  };
  const pictures = (json['pictures'] as unknown[]).map((item) => {
    const { pixels, ...rest } = row(item) as { pixels?: string; embedding: Float32Array };
    return { ...rest, pixels: bytes(pixels) };
  });
  const texts = (json['texts'] as unknown[]).map(row);
  return {
    ...json,
    pictures,
    texts,
    logits: floats(json['logits']),
    scores: floats(json['scores']),
  } as unknown as Golden; // written by test-models/golden-clip.py
}

function bytes(base64: unknown): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.from(base64 as string, 'base64'));
}

function floats(base64: unknown): Float32Array {
  return new Float32Array(bytes(base64).buffer);
}
