/**
 * Images a second of the whole service with one client and with many, and how much a classification takes beside the bare encoder.
 *
 *     python bench/clip_weights.py WEIGHTS
 *     node dist/bench/vision-clients.js --weights WEIGHTS [--clients 32] [--seconds 15] [--compute int8]
 *
 * Clients speak HTTP from this process, which has its share of the cores. Pictures are drawn here, saved as JPEG; labels are the same
 * each time, so that their embeddings are remembered.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { parseArgs } from 'node:util';
import { pino } from 'pino';
import sharp from 'sharp';
import { type App, createApp } from '../src/app.ts';
import { median } from '../src/cli/statistics.ts';
import { readEnvironment } from '../src/config/environment.ts';
import { loadConfig } from '../src/config/load.ts';
import { startService } from '../src/serve.ts';
import { startEncoders } from '../src/vision/clip/encoder-thread.ts';

const { values } = parseArgs({
  options: {
    weights: { type: 'string' },
    clients: { type: 'string', default: '32' },
    seconds: { type: 'string', default: '15' },
    compute: { type: 'string', default: 'int8' },
    rounds: { type: 'string', default: '300' },
  },
});
if (values.weights === undefined)
  throw new Error('--weights is needed; the first lines of this file tell how.');
const SIZES = [
  { width: 224, height: 224 },
  { width: 1152, height: 864 },
  { width: 4000, height: 3000 },
];
const LABELS = Array.from({ length: 50 }, (_, index) => `a picture of the thing number ${index}`);

const home = await mkdtemp(join(tmpdir(), 'percept-bench-'));
const logger = pino({ level: 'silent' });
const env = {
  ...readEnvironment(),
  PERCEPT_HOME: home,
  PERCEPT_OFFLINE: '1',
  PERCEPT_SERVER_PORT: '0',
  PERCEPT_MODELS_PRELOAD: 'false',
  PERCEPT_MODELS_VISION: 'bench',
  PERCEPT_MODELS_COMPUTE_TYPE: values.compute,
  PERCEPT_QUEUE_MAX_DEPTH: '256',
};
const { config } = loadConfig({ env, flags: {}, configFile: '/dev/null' });
const app: App = createApp({ config, env, logger });
await app.store.import('bench', values.weights);
await app.vision.warm(undefined, new AbortController().signal);
const service = await startService(app, logger);

/** Soft shapes, as JPEG: noise would be larger than any photograph. */
async function picture({ width, height }: { width: number; height: number }): Promise<string> {
  const pixels = Uint8Array.from({ length: 48 * 36 * 3 }, () => Math.random() * 256);
  const jpeg = await sharp(pixels, { raw: { width: 48, height: 36, channels: 3 } })
    .resize(width, height, { fit: 'fill' })
    .jpeg({ quality: 85 })
    .toBuffer();
  return jpeg.toString('base64');
}

const agent = new Agent({ keepAlive: true, maxSockets: 256 });

async function classify(image: string): Promise<void> {
  const body = JSON.stringify({ image, prompts: LABELS, top_k: 1 });
  const answer = await new Promise<{ status: number; body: string }>((resolve, reject) => {
    const outgoing = request(
      `${service.url}/v1/classify`,
      { method: 'POST', agent, headers: { 'content-type': 'application/json' } },
      (incoming) => text(incoming).then((body) => resolve({ status: incoming.statusCode!, body }), reject),
    );
    outgoing.on('error', reject);
    outgoing.end(body);
  });
  if (answer.status !== 200) throw new Error(answer.body);
}

/** Images a second over so many seconds. */
async function rate(image: string, clients: number, seconds: number): Promise<number> {
  const until = performance.now() + seconds * 1000;
  const begun = performance.now();
  let done = 0;
  await Promise.all(
    Array.from({ length: clients }, async () => {
      while (performance.now() < until) {
        await classify(image);
        done += 1;
      }
    }),
  );
  return done / ((performance.now() - begun) / 1000);
}

console.log(
  `\n**The service**, ViT-B/32 at ${values.compute}, ${LABELS.length} labels; ${cpus().length} cores of ${cpus()[0]!.model}\n`,
);
console.log(`| JPEG | one client | ${values.clients} clients | ratio |`);
console.log('|---|---|---|---|');
for (const size of SIZES) {
  const image = await picture(size);
  await rate(image, 4, 2);
  const one: number[] = [];
  const many: number[] = [];
  // In turns, so that what disturbs one disturbs both.
  for (let turn = 0; turn < 3; turn += 1) {
    one.push(await rate(image, 1, Number(values.seconds) / 3));
    many.push(await rate(image, Number(values.clients), Number(values.seconds) / 3));
  }
  const [a, b] = [median(one), median(many)];
  console.log(
    `| ${size.width} x ${size.height} | ${a.toFixed(1)}/s | ${b.toFixed(1)}/s | ${(b / a).toFixed(2)}x |`,
  );
}

const image = await picture(SIZES[0]!);
const installed = await app.store.require('bench');
const graphs = await app.store.conversion({
  model: 'bench',
  variant: values.compute,
  key: (await app.vision.prepare('bench')).key.replace(`${values.compute}-`, ''),
  build: async () => {
    throw new Error(`${installed.directory} is converted already`);
  },
});
const encoders = await startEncoders({ kind: 'own', graphs, threads: config.models.threads });
const bare: number[] = [];
const whole: number[] = [];
for (let round = -20; round < Number(values.rounds); round += 1) {
  const pixels = Uint8Array.from({ length: 224 * 224 * 3 }, () => Math.random() * 256);
  const begun = performance.now();
  await encoders.encodeImages([pixels]);
  const between = performance.now();
  await classify(image);
  if (round < 0) continue;
  bare.push(between - begun);
  whole.push(performance.now() - between);
}
const quantile = (list: readonly number[], share: number) =>
  [...list].sort((a, b) => a - b)[Math.floor(share * (list.length - 1))]!;
console.log(`\n| ${values.rounds} times, in turns | median | p99 |`);
console.log('|---|---|---|');
for (const [name, list] of [
  ['the bare encoder', bare],
  ['POST /v1/classify, 224 x 224, labels remembered', whole],
] as const)
  console.log(`| ${name} | ${quantile(list, 0.5).toFixed(1)} ms | ${quantile(list, 0.99).toFixed(1)} ms |`);
console.log(
  `| ratio | ${(quantile(whole, 0.5) / quantile(bare, 0.5)).toFixed(2)} | ${(quantile(whole, 0.99) / quantile(bare, 0.99)).toFixed(2)} |`,
);

agent.destroy();
await encoders.close();
await service.stop();
await rm(home, { recursive: true });
