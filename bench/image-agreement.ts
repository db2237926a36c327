/**
 * How far prepared pictures are from transformers' own, by the kind of file.
 *
 *     python test-models/golden-images.py --many FOLDER
 *     node dist/bench/image-agreement.js FOLDER
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openImageFrontEnd } from '../src/vision/image/front-end.ts';
import { DEFAULT_LIMITS } from '../src/vision/image/picture.ts';
import { clipPreprocessing } from '../src/vision/image/preprocessing.ts';

interface Entry {
  readonly file: string;
  readonly kind: string;
}

interface Figures {
  pictures: number;
  equal: number;
  most: number;
  sum: number;
  values: number;
}

const folder = process.argv[2]!;
const entries = JSON.parse(await readFile(join(folder, 'index.json'), 'utf8')) as Entry[];
const frontEnd = openImageFrontEnd({
  preprocessing: clipPreprocessing(224),
  limits: DEFAULT_LIMITS,
  resize: 'exact',
  workers: 1,
});
const kinds = new Map<string, Figures>();
for (const { file, kind } of entries) {
  const found = await frontEnd.prepare(await readFile(join(folder, file)));
  const expected = await readFile(join(folder, `${file}.rgb`));
  const figures = kinds.get(kind) ?? { pictures: 0, equal: 0, most: 0, sum: 0, values: 0 };
  kinds.set(kind, figures);
  const differences = found.map((value, at) => Math.abs(value - expected[at]!));
  const most = differences.reduce((one, other) => Math.max(one, other));
  figures.pictures += 1;
  figures.equal += most === 0 ? 1 : 0;
  figures.most = Math.max(figures.most, most);
  figures.sum += differences.reduce((one, other) => one + other, 0);
  figures.values += differences.length;
}
await frontEnd.close();
console.log('| | pictures | equal | largest difference | mean difference |\n|---|---|---|---|---|');
for (const [kind, { pictures, equal, most, sum, values }] of kinds) {
  console.log(`| ${[kind, pictures, equal, most, (sum / values).toFixed(4)].join(' | ')} |`);
}
