/**
 * What a picture costs before a model sees it, the exact and the fast way, and sharp's cubic resize beside ours; interleaved.
 *
 *     node dist/bench/images.js [--rounds 15] [--edge 224]
 */
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import sharp from 'sharp';
import { median } from '../src/cli/statistics.ts';
import { openImageFrontEnd } from '../src/vision/image/front-end.ts';
import { geometryOf } from '../src/vision/image/geometry.ts';
import { DEFAULT_LIMITS, decodePicture, type Picture } from '../src/vision/image/picture.ts';
import { clipPreprocessing } from '../src/vision/image/preprocessing.ts';
import { createResizer } from '../src/vision/image/resize.ts';

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '15' }, edge: { type: 'string', default: '224' } },
});
const edge = Number(values.edge);
const preprocessing = clipPreprocessing(edge);
const resizer = createResizer(preprocessing);
const common = { preprocessing, limits: DEFAULT_LIMITS, workers: 1 };
const exact = openImageFrontEnd({ ...common, resize: 'exact' });
const fast = openImageFrontEnd({ ...common, resize: 'fast' });
const SIZES = [
  [224, 224],
  [1152, 864],
  [4000, 3000],
  [8000, 6000],
] as const;

type Step = (bytes: Uint8Array, decoded: Picture) => Promise<Uint8Array>;

/** In the order of the columns. */
const STEPS: readonly Step[] = [
  async (bytes) => (await decodePicture(bytes, DEFAULT_LIMITS)).data,
  async (_, decoded) => resizer.resizeAndCrop(decoded),
  (_, decoded) => resizeWithSharp(decoded),
  (bytes) => exact.prepare(bytes),
  (bytes) => fast.prepare(bytes),
];

console.log(
  `\n**Pictures to ${edge} x ${edge}**, JPEG; ${values.rounds} rounds, ${cpus().length} cores of ${cpus()[0]!.model}\n`,
);
console.log(
  '| | decode | resize | sharp in its place | exact, by a thread | fast, by a thread | mean and largest difference of fast | cosine |',
);
console.log('|---|---|---|---|---|---|---|---|');
for (const [width, height] of SIZES) {
  const bytes = await photograph(width, height);
  const times = STEPS.map((): number[] => []);
  const results: Uint8Array[] = [];
  // Large ones need fewer rounds for the same time.
  const rounds = Math.max(5, Math.round(Number(values.rounds) / Math.ceil((width * height) / 12e6)));
  for (let round = 0; round < rounds; round += 1) {
    const decoded = await decodePicture(bytes, DEFAULT_LIMITS);
    for (const [index, step] of STEPS.entries()) {
      const copy = new Uint8Array(bytes);
      const begun = performance.now();
      results[index] = await step(copy, decoded);
      times[index]!.push(performance.now() - begun);
    }
  }
  const [right, close] = [results[3]!, results[4]!];
  const differences = right.map((value, at) => Math.abs(value - close[at]!));
  const mean = differences.reduce((sum, one) => sum + one, 0) / differences.length;
  const cells = times.map((list) => `${median(list).toFixed(1)} ms`);
  const agreement = [
    `${mean.toFixed(2)}, ${differences.reduce((one, other) => Math.max(one, other))}`,
    cosine(right, close).toFixed(5),
  ];
  console.log(`| ${[`${width} x ${height}`, ...cells, ...agreement].join(' | ')} |`);
}
await Promise.all([exact.close(), fast.close()]);

/** To the same sizes and the same crop, so that only the filter differs. */
function resizeWithSharp({ data, width, height }: Picture): Promise<Uint8Array> {
  const { horizontal, vertical } = geometryOf({ width, height }, preprocessing);
  return sharp(data, { raw: { width, height, channels: 3 } })
    .resize(horizontal.to, vertical.to, { fit: 'fill', kernel: 'cubic' })
    .extract({ left: horizontal.first, top: vertical.first, width: edge, height: edge })
    .raw()
    .toBuffer();
}

/** Large shapes, small ones and grain, in the manner of a photograph's spectrum, which decides what decoding costs. */
async function photograph(width: number, height: number): Promise<Buffer> {
  const data = new Uint8Array(width * height * 3);
  let state = 1;
  for (let y = 0, at = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      const grain = (state / 2 ** 32 - 0.5) * 10;
      const shape = 60 * Math.sin((x / width) * 9 + (y / height) * 4) + 25 * Math.cos(x / 37 - y / 23);
      for (let channel = 0; channel < 3; channel += 1, at += 1) {
        data[at] = 128 + shape * (1 - channel / 5) + grain + (((x >> 7) + (y >> 6)) % 3) * 20;
      }
    }
  }
  return sharp(data, { raw: { width, height, channels: 3 } })
    .jpeg({ quality: 85 })
    .toBuffer();
}

function cosine(one: Uint8Array, other: Uint8Array): number {
  let [product, first, second] = [0, 0, 0];
  for (const [index, value] of one.entries()) {
    product += (value - 128) * (other[index]! - 128);
    first += (value - 128) ** 2;
    second += (other[index]! - 128) ** 2;
  }
  return product / Math.sqrt(first * second);
}
