/**
 * Percept beside faster-whisper: the same weights at int8, the same threads, the same files.
 *
 *     node dist/bench/speech.js --python VENV/bin/python [--model whisper-base] [--rounds 5] [--threads 2] [--minutes 10] [FILE=REFERENCE ...]
 *
 * Without --minutes: the five recordings of the demo and what is named, one at a time. With --minutes: those joined to one long recording.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { joined, samplesOf, wav } from '../test-models/support/recordings.ts';
import { startFasterWhisper } from './faster-whisper.ts';
import { type Contender, compare, type Recording } from './measure.ts';
import { startPercept } from './percept.ts';

const GAP_SECONDS = 1;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    python: { type: 'string' },
    model: { type: 'string', default: 'whisper-base' },
    rounds: { type: 'string', default: '5' },
    threads: { type: 'string', default: '2' },
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
  const recordings = isLong ? [await longRecording(short, Number(values.minutes))] : short;
  await compare(contenders(isLong), recordings, {
    title: `${values.model}, ${isLong ? `one recording of ${values.minutes} minutes` : `${short.length} short recordings (${short.map(({ path }) => basename(path).slice(-8, -4)).join(' ')})`}, ${threads} threads`,
    rounds: Number(values.rounds),
    warmUpRounds: isLong ? 0 : 1,
    baseline: 'faster-whisper, beam 5',
  });
} finally {
  await rm(folder, { recursive: true });
  peer.close();
  await percept.close();
}

/** Each at its default and at a beam of one; for a long recording also the peer's batched pipeline. */
function contenders(isLong: boolean): Contender[] {
  const ours = (name: string, beamSize: number) => ({
    name,
    hear: (path: string) => percept.transcribe(path, { beamSize }),
  });
  const theirs = (name: string, beamSize: number, batchSize = 0) => ({
    name,
    hear: (path: string) => peer.transcribe(path, { beamSize, batchSize, isLong }),
  });
  return [
    ours('Percept, default (beam 5)', 5),
    ours('Percept, greedy', 1),
    theirs('faster-whisper, beam 5', 5),
    theirs('faster-whisper, beam 1', 1),
    ...(isLong ? [theirs('faster-whisper batched (8), beam 5', 5, 8)] : []),
    ...(isLong ? [theirs('faster-whisper batched (8), beam 1', 1, 8)] : []),
  ];
}

/** The recordings again and again, in another order each time, until it is long enough. */
async function longRecording(short: readonly Recording[], minutes: number): Promise<Recording> {
  const parts = await Promise.all(
    short.map(async ({ path, reference }) => ({ samples: await samplesOf(path), reference })),
  );
  const order: typeof parts = [];
  let samples = 0;
  for (let turn = 0; samples < minutes * 60 * 16_000; turn += 1) {
    const part = parts[(turn * 2 + Math.floor(turn / parts.length)) % parts.length]!;
    order.push(part);
    samples += part.samples.length + GAP_SECONDS * 16_000;
  }
  const path = join(folder, 'long.wav');
  await writeFile(
    path,
    wav(
      joined(
        order.map((part) => part.samples),
        GAP_SECONDS,
      ).samples,
    ),
  );
  return { path, reference: order.map(({ reference }) => reference).join(' ') };
}

function named(pair: string): Recording {
  const at = pair.indexOf('=');
  return { path: pair.slice(0, at), reference: pair.slice(at + 1) };
}
