/**
 * Memory while recordings of several lengths are transcribed, each by processes that have done nothing before.
 *
 *     node dist/bench/memory.js [--minutes 10,30,60,180] [--model whisper-base] [--threads 2] [--encoded mp3] [--after-seconds 60] [--python VENV/bin/python]
 *
 * With --encoded, ffmpeg writes the recording in that format first, so that a decoder runs as well; a WAVE file is read by the model's
 * process itself. With --python, faster-whisper beside it, one after the other and batched. Linux only.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { startService } from '../test-models/support/service.ts';
import { postTranscription } from './client.ts';
import { startFasterWhisper } from './faster-whisper.ts';
import { install } from './percept.ts';
import { treeMemory, watchTree } from './process-tree.ts';
import { writeLong } from './recordings.ts';

/** Processes with the model loaded that have heard nothing yet. */
interface Subject {
  readonly pid: number;
  hear(path: string): Promise<void>;
  stop(): unknown;
}

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10,30,60,180' },
    model: { type: 'string', default: 'whisper-base' },
    threads: { type: 'string', default: '2' },
    encoded: { type: 'string' },
    'after-seconds': { type: 'string', default: '60' },
    python: { type: 'string' },
  },
});

const { weights, librivox, env } = await install(values.model, Number(values.threads));
const folder = await mkdtemp(join(tmpdir(), 'percept-bench-'));
try {
  console.log(`\n**Memory, ${values.model}, ${values.threads} threads**\n`);
  const after = `together ${values['after-seconds']} s later`;
  console.log(`| minutes | | loaded | peak together | ${after} | peak of each process | seconds |`);
  console.log('|---|---|---|---|---|---|---|');
  for (const minutes of values.minutes.split(',').map(Number)) {
    const path = await recording(minutes);
    for (const [name, start] of Object.entries(subjects())) {
      console.log(`| ${[minutes, name, ...(await measure(path, start))].join(' | ')} |`);
    }
    await rm(path);
  }
} finally {
  await rm(folder, { recursive: true });
}

function subjects(): Record<string, () => Promise<Subject>> {
  if (values.python === undefined) return { Percept: startPercept };
  return {
    Percept: startPercept,
    'faster-whisper, beam 5': () => startPeer(0),
    'faster-whisper batched (8), beam 5': () => startPeer(8),
  };
}

async function startPercept(): Promise<Subject> {
  const service = await startService({ env });
  return {
    pid: service.pid,
    async hear(path) {
      const fields = [
        ['model', 'whisper-1'],
        ['response_format', 'verbose_json'],
      ] as const;
      const { status, body } = await postTranscription(service.url, { path, fields });
      if (status !== 200) throw new Error(`The server answered ${status}: ${body}`);
    },
    stop: () => service.stop(),
  };
}

async function startPeer(batchSize: number): Promise<Subject> {
  const peer = await startFasterWhisper({
    python: values.python!,
    model: weights,
    computeType: 'int8',
    threads: Number(values.threads),
  });
  return {
    pid: peer.pid,
    hear: async (path) => {
      await peer.transcribe(path, { beamSize: 5, batchSize, isLong: true });
    },
    stop: peer.close,
  };
}

/** The cells of a row. */
async function measure(path: string, start: () => Promise<Subject>): Promise<string[]> {
  const subject = await start();
  try {
    const before = await treeMemory(subject.pid);
    const watch = watchTree(subject.pid);
    const begun = performance.now();
    await subject.hear(path).finally(() => watch.stop());
    const seconds = (performance.now() - begun) / 1000;
    const peaks = await watch.stop();
    await new Promise((resolve) => setTimeout(resolve, Number(values['after-seconds']) * 1000));
    const after = await treeMemory(subject.pid);
    const roles = [...peaks.byRole].map(([role, bytes]) => `${role} ${megabytes(bytes)}`);
    return [before, peaks, after]
      .map(({ sumBytes }) => megabytes(sumBytes))
      .concat(roles.join(', '), seconds.toFixed(0));
  } finally {
    await subject.stop();
  }
}

async function recording(minutes: number): Promise<string> {
  const { path } = await writeLong(librivox, { path: join(folder, 'long.wav'), seconds: minutes * 60 });
  if (values.encoded === undefined) return path;
  const encoded = join(folder, `long.${values.encoded}`);
  await promisify(execFile)('ffmpeg', ['-nostdin', '-v', 'error', '-y', '-i', path, encoded]);
  await rm(path);
  return encoded;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(0)} MB`;
}
