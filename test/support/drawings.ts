/** The held-out drawings of clip-shapes, and how many of them a service tells apart. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import sharp from 'sharp';
import type { RankedLabel } from '../../src/vision/ranking.ts';
import type { VisionUnderTest } from './vision-service.ts';

export const SHEETS = new URL('../../../test/fixtures/clip-shapes/', import.meta.url);
const AT_ONCE = 60;

export interface Counted {
  readonly right: number;
  readonly all: number;
}

/** Asks for the best of all prompts of a kind, for each drawing of that kind. */
export async function tellApart(
  service: VisionUnderTest,
  kind: 'prompts' | 'placedPrompts',
  model: string,
): Promise<Counted> {
  const labels = JSON.parse(await readFile(new URL('labels.json', SHEETS), 'utf8')) as Labels;
  let right = 0;
  let all = 0;
  for (const { file, answers } of labels.sheets.filter(({ prompts }) => prompts === kind)) {
    const images = await readSheet(file, labels, answers.length);
    const best = await bestOf(service, images, { prompts: labels[kind], model });
    right += best.filter((text, index) => text === labels[kind][answers[index]!]).length;
    all += answers.length;
  }
  return { right, all };
}

interface Labels {
  /** Pixels of a drawing's side. */
  readonly cell: number;
  readonly columns: number;
  readonly prompts: readonly string[];
  readonly placedPrompts: readonly string[];
  readonly sheets: readonly {
    readonly file: string;
    readonly prompts: 'prompts' | 'placedPrompts';
    /** The place of the right prompt, for each drawing, row by row. */
    readonly answers: readonly number[];
  }[];
}

async function readSheet(file: string, { cell, columns }: Labels, count: number): Promise<string[]> {
  const sheet = sharp(await readFile(new URL(file, SHEETS)));
  return Promise.all(
    Array.from({ length: count }, async (_, index) => {
      const [left, top] = [(index % columns) * cell, Math.floor(index / columns) * cell];
      const drawing = await sheet.clone().extract({ left, top, width: cell, height: cell }).png().toBuffer();
      return drawing.toString('base64');
    }),
  );
}

async function bestOf(
  { post }: VisionUnderTest,
  images: readonly string[],
  { prompts, model }: { readonly prompts: readonly string[]; readonly model: string },
): Promise<string[]> {
  const best: string[] = [];
  for (let start = 0; start < images.length; start += AT_ONCE) {
    const some = images.slice(start, start + AT_ONCE);
    const { json } = await post('/v1/classify', { images: some, prompts, top_k: 1, model });
    assert.equal(json.error, undefined, json.error?.message);
    const results = json['results'] as { classifications: RankedLabel[] }[];
    best.push(...results.map(({ classifications }) => classifications[0]!.text));
  }
  return best;
}
