/**
 * Texts on a Hailo device. The network is the stack of layers between the embedding of tokens and the projection, [context × width] both ways;
 * the host looks tokens up before it, and takes the row that stands for the text behind it.
 */
import { join } from 'node:path';
import type { HailoNetwork } from '../../../backends/hailo/contract.ts';
import { AppError } from '../../../base/errors.ts';
import { type NpyTable, openNpy } from '../../../graphs/npy.ts';
import type { ClipEncoders } from '../encoders.ts';
import type { EncodedText } from '../tokenizer.ts';
import { TEXT_TABLES } from './convert.ts';

export interface HailoTextStart {
  /** Opened with float32 in and out. */
  readonly network: HailoNetwork;
  /** Directory of what `convert.ts` wrote. */
  readonly graphs: string;
  /** What embeddings of the CPU are compared with. */
  readonly reference: Pick<ClipEncoders, 'encodeTexts'>;
  /** Some texts to compare. */
  readonly samples: readonly EncodedText[];
  readonly positionAdd: boolean | 'auto';
}

export type TextEncoding = Pick<ClipEncoders, 'encodeTexts' | 'close'>;

/** What fills up a text (Hailo's own examples fill up so); no row before it sees it. */
const PAD = 0;
/** Mean cosine to the CPU's embeddings. Quantised layers reach more; without its positions, or with them twice, a text is another text. */
const AGREEMENT = 0.8;

/** Throws `unsupported_model` when the network does not read texts as the checkpoint does. */
export async function openHailoText(start: HailoTextStart): Promise<TextEncoding> {
  const { network, graphs, reference, samples, positionAdd } = start;
  const tables = openTables(graphs);
  try {
    requireShape(network, tables);
    const ways = positionAdd === 'auto' ? [false, true] : [positionAdd];
    const expected = await reference.encodeTexts(samples);
    const tried = [];
    for (const addsPositions of ways) {
      const found = await encode(samples, { network, tables, addsPositions });
      tried.push({ addsPositions, cosine: meanCosine(found, expected, samples.length) });
    }
    const best = tried.reduce((one, other) => (other.cosine > one.cosine ? other : one));
    if (best.cosine < AGREEMENT) throw disagrees(tried);
    return {
      encodeTexts: (texts) => encode(texts, { network, tables, addsPositions: best.addsPositions }),
      close: async () => closeTables(tables),
    };
  } catch (error) {
    closeTables(tables);
    throw error;
  }
}

interface Tables {
  readonly tokens: NpyTable;
  readonly positions: NpyTable;
  readonly projection: readonly Float32Array[];
  readonly bias: Float32Array;
}

function openTables(graphs: string): Tables {
  const projection = openNpy(join(graphs, TEXT_TABLES.projection));
  const bias = openNpy(join(graphs, TEXT_TABLES.bias));
  try {
    return {
      tokens: openNpy(join(graphs, TEXT_TABLES.tokens)),
      positions: openNpy(join(graphs, TEXT_TABLES.positions)),
      projection: Array.from({ length: projection.dims[0]! }, (_, row) => projection.row(row)),
      bias: bias.row(0),
    };
  } finally {
    projection.close();
    bias.close();
  }
}

function closeTables({ tokens, positions }: Tables): void {
  tokens.close();
  positions.close();
}

function requireShape({ name, inputs, outputs }: HailoNetwork, { positions }: Tables): void {
  const [context = 0, width = 0] = positions.dims;
  const fits = [...inputs, ...outputs].every(
    ({ shape }) => shape.height * shape.width === context && shape.features === width,
  );
  if (inputs.length === 1 && outputs.length === 1 && fits) return;
  throw new AppError(
    'unsupported_model',
    `The text encoder ${name} does not have ${context} rows of ${width} in and out, as the checkpoint beside it has: they are of different models.`,
  );
}

interface Encoding {
  readonly network: HailoNetwork;
  readonly tables: Tables;
  readonly addsPositions: boolean;
}

/** [texts × dimension], each of length 1. */
async function encode(
  texts: readonly EncodedText[],
  { network, tables, addsPositions }: Encoding,
): Promise<Float32Array> {
  const [context = 0, width = 0] = tables.positions.dims;
  const dimension = tables.projection.length;
  const embeddings = new Float32Array(texts.length * dimension);
  for (const [index, { ids, end }] of texts.entries()) {
    const embedded = new Float32Array(context * width);
    for (let place = 0; place < context; place += 1) {
      const row = tables.tokens.row(ids[place] ?? PAD);
      if (addsPositions) add(row, tables.positions.row(place));
      embedded.set(row, place * width);
    }
    const [hidden] = (await network.run([embedded])) as [Float32Array]; // asked for as float32
    const row = hidden.subarray(end * width, (end + 1) * width);
    const projected = tables.projection.map((weights, out) => dot(weights, row) + tables.bias[out]!);
    const length = Math.hypot(...projected) || 1;
    embeddings.set(
      projected.map((value) => value / length),
      index * dimension,
    );
  }
  return embeddings;
}

function meanCosine(found: Float32Array, expected: Float32Array, texts: number): number {
  return dot(found, expected) / texts;
}

function add(target: Float32Array, values: Float32Array): void {
  for (let index = 0; index < target.length; index += 1) target[index]! += values[index]!;
}

function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let index = 0; index < a.length; index += 1) sum += a[index]! * b[index]!;
  return sum;
}

function disagrees(tried: readonly { readonly addsPositions: boolean; readonly cosine: number }[]): AppError {
  const said = tried.map(
    ({ addsPositions, cosine }) =>
      `${cosine.toFixed(3)} ${addsPositions ? 'with' : 'without'} positions from the host`,
  );
  return new AppError(
    'unsupported_model',
    `The compiled text encoder gives other embeddings than the checkpoint beside it (mean cosine ${said.join(', ')}; ${AGREEMENT} is expected). ` +
      'Take the files of the model that was compiled, or let texts be read on the CPU: hailo.text_encoder: cpu.',
  );
}
