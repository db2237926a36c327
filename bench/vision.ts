/**
 * Speed of both encoders of CLIP beside transformers on CPU torch, on the same random weights, in turns.
 *
 *     python bench/clip_weights.py WEIGHTS
 *     node dist/bench/vision.js --python VENV/bin/python --weights WEIGHTS [--threads 2] [--rounds 7]
 *
 * Encoders alone: pictures and tokens are ready, the time is from the call to the embeddings. Ours run in their thread, as in a model
 * process. Before each run there is a pause, so that no other's threads still spin. Medians.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { sleep } from '../src/base/abort.ts';
import { median } from '../src/cli/statistics.ts';
import { convertClip } from '../src/vision/clip/convert.ts';
import { startEncoders } from '../src/vision/clip/encoder-thread.ts';
import type { ClipEncoders } from '../src/vision/clip/encoders.ts';
import { BATCH_IMAGES } from '../src/vision/clip/model.ts';
import type { EncodedText } from '../src/vision/clip/tokenizer.ts';
import { startPythonPeer } from './python-peer.ts';

const { values } = parseArgs({
  options: {
    python: { type: 'string' },
    weights: { type: 'string' },
    threads: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '7' },
  },
});
if (values.python === undefined || values.weights === undefined)
  throw new Error('--python and --weights are needed; the first lines of this file tell how.');
const threads = Number(values.threads);
const rounds = Number(values.rounds);
const PAUSE_MS = 100;
const SIZE = 224;
const LAST_TOKEN = 49_407;
/** Texts share most of their words; those that nobody has used for long are read from disk. */
const USED_TOKENS = 2000;

type Work =
  | { readonly kind: 'image'; readonly batch: number }
  | { readonly kind: 'text'; readonly batch: number; readonly length: number };

const WORK: readonly Work[] = [
  { kind: 'image', batch: 1 },
  { kind: 'image', batch: 8 },
  { kind: 'image', batch: 32 },
  { kind: 'text', batch: 1, length: 16 },
  { kind: 'text', batch: 8, length: 16 },
  { kind: 'text', batch: 32, length: 16 },
  { kind: 'text', batch: 8, length: 77 },
];

interface Contender {
  readonly name: string;
  /** Gives seconds. */
  run(work: Work): Promise<number>;
  close(): void | Promise<void>;
}

function noise(): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: SIZE * SIZE * 3 }, () => Math.random() * 256);
}

function text(length: number): EncodedText {
  const ids = Array.from({ length: length - 1 }, () => Math.floor(Math.random() * USED_TOKENS));
  return { ids: [...ids, LAST_TOKEN], end: length - 1, length };
}

function percept(name: string, encoders: ClipEncoders): Contender {
  return {
    name,
    async run(work) {
      const pictures = work.kind === 'image' ? Array.from({ length: work.batch }, noise) : [];
      const texts = work.kind === 'text' ? Array.from({ length: work.batch }, () => text(work.length)) : [];
      const begun = performance.now();
      // In the batches that a model process makes.
      if (work.kind === 'image')
        for (let start = 0; start < pictures.length; start += BATCH_IMAGES)
          await encoders.encodeImages(pictures.slice(start, start + BATCH_IMAGES));
      else await encoders.encodeTexts(texts);
      return (performance.now() - begun) / 1000;
    },
    close: () => encoders.close(),
  };
}

const folder = await mkdtemp(join(tmpdir(), 'percept-bench-'));
const peer = await startPythonPeer({
  python: values.python,
  script: 'clip_peer.py',
  args: [values.weights, values.threads],
});
const contenders: Contender[] = [
  {
    name: 'transformers, float32',
    run: async (work) => ((await peer.ask({ ...work })) as { seconds: number }).seconds,
    close: () => peer.close(),
  },
];
for (const compute of ['float32', 'int8'] as const) {
  const graphs = await mkdtemp(join(folder, compute));
  await convertClip(values.weights, graphs, compute);
  contenders.push(percept(`Percept, ${compute}`, await startEncoders({ kind: 'own', graphs, threads })));
}

console.log(
  `\n**CLIP's encoders**; ${rounds} rounds, ${threads} threads, ${cpus().length} cores of ${cpus()[0]!.model}\n`,
);
console.log(`| | ${contenders.map(({ name }) => name).join(' | ')} | faster |`);
console.log(`|---|${contenders.map(() => '---|').join('')}---|`);
for (const work of WORK) {
  const seconds = contenders.map(() => [] as number[]);
  for (let round = -1; round < rounds; round += 1) {
    for (const [place, contender] of contenders.entries()) {
      await sleep(PAUSE_MS, new AbortController().signal);
      const taken = await contender.run(work);
      if (round >= 0) seconds[place]!.push(taken);
    }
  }
  const medians = seconds.map((list) => median(list));
  const what = work.kind === 'image' ? 'images' : `texts of ${work.length} tokens`;
  const cells = medians.map((one) => `${(1000 * one).toFixed(1)} ms (${(work.batch / one).toFixed(1)}/s)`);
  const ratios = medians.slice(1).map((one) => `${(medians[0]! / one).toFixed(2)}x`);
  console.log(`| ${work.batch} ${what} | ${cells.join(' | ')} | ${ratios.join(', ')} |`);
}
for (const contender of contenders) await contender.close();
await rm(folder, { recursive: true });
