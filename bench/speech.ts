/**
 * Percept beside faster-whisper, and with --whisper-cpp beside whisper.cpp: the same weights at 8 bits, the same threads, the same files.
 *
 *     node dist/bench/speech.js --python VENV/bin/python [--model whisper-base] [--rounds 5] [--threads 2] [--whisper-cpp] [--variants 8 | --together 8 | --minutes 10] [FILE=REFERENCE ...]
 *
 * The five recordings of the demo and what is named, one at a time; with --variants each so many times, at another speed, loudness and noise;
 * with --together so many of them at once; with --minutes joined to one long recording, never twice in the same way.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startFasterWhisper } from './faster-whisper.ts';
import { type Contender, compare, type Recording } from './measure.ts';
import { startPercept } from './percept.ts';
import { variantsOf, writeLong } from './recordings.ts';
import { startWhisperCpp } from './whisper-cpp.ts';

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
    'whisper-cpp': { type: 'boolean', default: false },
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
const whisperCpp = values['whisper-cpp']
  ? await startWhisperCpp({ python: values.python, model: percept.weights, threads })
  : undefined;
const folder = await mkdtemp(join(tmpdir(), 'percept-bench-'));
try {
  const short = [...percept.librivox, ...positionals.map(named)];
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
  await whisperCpp?.close();
  await percept.close();
}

function title(count: number): string {
  if (values.minutes !== undefined) return `one recording of ${values.minutes} minutes`;
  if (values.together !== undefined) return `${values.together} short recordings at once`;
  const variants = values.variants === undefined ? '' : ` in ${values.variants} variants each`;
  return `${count} short recordings${variants}, one at a time`;
}

async function chosen(short: readonly Recording[]): Promise<readonly Recording[]> {
  if (values.minutes !== undefined)
    return [await writeLong(short, { path: join(folder, 'long.wav'), seconds: Number(values.minutes) * 60 })];
  if (values.variants !== undefined) return variantsOf(short, { count: Number(values.variants), folder });
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
    ours('Percept, default (beam 5)'),
    ours('Percept, greedy', 1),
    theirs('faster-whisper, beam 5', 5),
    theirs('faster-whisper, beam 1', 1),
    ...(isLong ? [theirs('faster-whisper batched (8), beam 5', 5, 8)] : []),
    ...(isLong ? [theirs('faster-whisper batched (8), beam 1', 1, 8)] : []),
    ...whisperCppContenders(),
  ];
}

function whisperCppContenders(): Contender[] {
  if (whisperCpp === undefined) return [];
  return [5, 1].map((beamSize) => ({
    name: `whisper.cpp q8_0, ${beamSize === 1 ? 'greedy' : `beam ${beamSize}`}`,
    hear: (path) => whisperCpp.transcribe(path, { beamSize }),
  }));
}

function named(pair: string): Recording {
  const at = pair.indexOf('=');
  return { path: pair.slice(0, at), reference: pair.slice(at + 1) };
}
