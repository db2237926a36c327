/**
 * Percept beside faster-whisper: the same weights at int8, the same threads, the same files.
 *
 *     node dist/bench/speech.js --python VENV/bin/python [--model whisper-base] [--rounds 5] [--threads 2] [--variants 8 | --together 8 | --minutes 10] [FILE=REFERENCE ...]
 *
 * The five recordings of the demo and what is named, one at a time; with --variants each so many times, at another speed, loudness and noise;
 * with --together so many of them at once; with --minutes joined to one long recording, never twice in the same way.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { joined, SAMPLE_RATE, samplesOf, wav, whiteNoise } from '../test-models/support/recordings.ts';
import { startFasterWhisper } from './faster-whisper.ts';
import { type Contender, compare, type Recording } from './measure.ts';
import { startPercept } from './percept.ts';

const GAP_SECONDS = 1;
/** The three lists have no common length, so that 84 turns differ. */
const SPEEDS = [1, 0.94, 1.06, 0.97, 1.03, 0.9, 1.1];
const GAINS = [1, 0.6, 0.3];
const NOISES = [0, 0.001, 0.003, 0.008];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    python: { type: 'string' },
    model: { type: 'string', default: 'whisper-base' },
    rounds: { type: 'string', default: '5' },
    threads: { type: 'string', default: '2' },
    variants: { type: 'string' },
    together: { type: 'string' },
    minutes: { type: 'string' },
  },
});
if (values.python === undefined) throw new Error('--python must name an interpreter with faster-whisper.');

const threads = Number(values.threads);
const percept = await startPercept(values.model, threads);
const peer = await startFasterWhisper({
  python: values.python,
  model: percept.weights,
  computeType: 'int8',
  threads,
});
const folder = await mkdtemp(join(tmpdir(), 'percept-bench-'));
try {
  const short = [...(await percept.librivox()), ...positionals.map(named)];
  const isLong = values.minutes !== undefined;
  await compare(contenders(isLong), await chosen(short), {
    title: `${values.model}, ${title(short.length)}, ${threads} threads`,
    rounds: Number(values.rounds),
    warmUp: short,
    isTogether: values.together !== undefined,
    baseline: 'faster-whisper, beam 5',
  });
} finally {
  await rm(folder, { recursive: true });
  peer.close();
  await percept.close();
}

function title(count: number): string {
  if (values.minutes !== undefined) return `one recording of ${values.minutes} minutes`;
  if (values.together !== undefined) return `${values.together} short recordings at once`;
  const variants = values.variants === undefined ? '' : ` in ${values.variants} variants each`;
  return `${count} short recordings${variants}, one at a time`;
}

async function chosen(short: readonly Recording[]): Promise<readonly Recording[]> {
  if (values.minutes !== undefined) return [await longRecording(short, Number(values.minutes))];
  if (values.variants !== undefined) return variantsOf(short, Number(values.variants));
  if (values.together === undefined) return short;
  return Array.from({ length: Number(values.together) }, (_, index) => ({ ...short[index % short.length]! }));
}

/** Each at its default and at a beam of one; for a long recording also the peer's batched pipeline. */
function contenders(isLong: boolean): Contender[] {
  const ours = (name: string, beamSize?: number) => ({
    name,
    hear: (path: string) => percept.transcribe(path, { beamSize }),
  });
  const theirs = (name: string, beamSize: number, batchSize = 0) => ({
    name,
    hear: (path: string) => peer.transcribe(path, { beamSize, batchSize, isLong }),
  });
  return [
    ours('Percept, default'),
    ours('Percept, beam 5', 5),
    ours('Percept, greedy', 1),
    theirs('faster-whisper, beam 5', 5),
    theirs('faster-whisper, beam 1', 1),
    ...(isLong ? [theirs('faster-whisper batched (8), beam 5', 5, 8)] : []),
    ...(isLong ? [theirs('faster-whisper batched (8), beam 1', 1, 8)] : []),
  ];
}

async function variantsOf(short: readonly Recording[], count: number): Promise<Recording[]> {
  const variants: Recording[] = [];
  for (const [index, { path, reference }] of short.entries()) {
    const samples = await samplesOf(path);
    for (let turn = 0; turn < count; turn += 1) {
      const copy = join(folder, `${index}-${turn}.wav`);
      await writeFile(copy, wav(varied(samples, index * count + turn)));
      variants.push({ path: copy, reference });
    }
  }
  return variants;
}

/** The recordings again and again, in another order each time and never twice alike, until it is long enough. */
async function longRecording(short: readonly Recording[], minutes: number): Promise<Recording> {
  const parts = await Promise.all(
    short.map(async ({ path, reference }) => ({ samples: await samplesOf(path), reference })),
  );
  const order: typeof parts = [];
  let samples = 0;
  for (let turn = 0; samples < minutes * 60 * SAMPLE_RATE; turn += 1) {
    const part = parts[(turn * 2 + Math.floor(turn / parts.length)) % parts.length]!;
    order.push({ reference: part.reference, samples: varied(part.samples, turn) });
    samples += order.at(-1)!.samples.length + GAP_SECONDS * SAMPLE_RATE;
  }
  const path = join(folder, 'long.wav');
  const { samples: all } = joined(
    order.map((part) => part.samples),
    GAP_SECONDS,
  );
  await writeFile(path, wav(all));
  return { path, reference: order.map(({ reference }) => reference).join(' ') };
}

/** At another speed, loudness and noise in each turn. */
function varied(samples: Float32Array, turn: number): Float32Array {
  const [speed, gain] = [SPEEDS[turn % SPEEDS.length]!, GAINS[turn % GAINS.length]!];
  const length = Math.floor((samples.length - 1) / speed);
  const noise = whiteNoise(length / SAMPLE_RATE, NOISES[turn % NOISES.length]!);
  return Float32Array.from({ length }, (_, index) => {
    const at = Math.floor(index * speed);
    const share = index * speed - at;
    return gain * (samples[at]! * (1 - share) + samples[at + 1]! * share) + (noise[index] ?? 0);
  });
}

function named(pair: string): Recording {
  const at = pair.indexOf('=');
  return { path: pair.slice(0, at), reference: pair.slice(at + 1) };
}
