/**
 * From the start of a process to the first transcript of a short recording, weights on disk and graphs converted: the command line of
 * Percept and a script with faster-whisper, in turns.
 *
 *     node dist/bench/cold-start.js --python VENV/bin/python [--model whisper-base] [--rounds 7] [--threads 2] [--seconds 11]
 *
 * Each once before anything counts, so that the files are in the system's cache for both. Where our own time goes is measured apart, in this process.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { median } from '../src/cli/statistics.ts';
import { NO_CONFIG_FILE } from '../test-models/support/home.ts';
import { MAIN } from '../test-models/support/service.ts';
import { type Installed, install, startPercept } from './percept.ts';
import { writeLong } from './recordings.ts';

const PEER_SCRIPT = `
import sys
from faster_whisper import WhisperModel
model = WhisperModel(sys.argv[1], device="cpu", compute_type="int8", cpu_threads=int(sys.argv[2]))
segments, _ = model.transcribe(sys.argv[3])
print(" ".join(segment.text.strip() for segment in segments))
`;

const { values } = parseArgs({
  options: {
    python: { type: 'string' },
    model: { type: 'string', default: 'whisper-base' },
    rounds: { type: 'string', default: '7' },
    threads: { type: 'string', default: '2' },
    seconds: { type: 'string', default: '11' },
  },
});
if (values.python === undefined) throw new Error('--python must name an interpreter with faster-whisper.');
const python = values.python;
const threads = Number(values.threads);

const installed = await install(values.model, threads);
const folder = await mkdtemp(join(tmpdir(), 'percept-bench-'));
try {
  const path = join(folder, 'short.wav');
  await writeLong(installed.librivox, { path, seconds: Number(values.seconds), isCut: true });
  await compareStarts(path, installed);
  await printParts(path);
} finally {
  await rm(folder, { recursive: true });
}

async function compareStarts(path: string, { weights, env }: Installed): Promise<void> {
  const commands = [
    { name: 'Percept', file: process.execPath, args: [MAIN, '--config', NO_CONFIG_FILE, 'transcribe', path] },
    {
      name: 'faster-whisper, beam 5',
      file: python,
      args: ['-c', PEER_SCRIPT, weights, values.threads, path],
    },
  ];
  const rounds: number[][] = commands.map(() => []);
  const texts: string[] = [];
  for (let round = -1; round < Number(values.rounds); round += 1) {
    for (const [index, { file, args }] of commands.entries()) {
      const begun = performance.now();
      const { stdout } = await promisify(execFile)(file, args, { env });
      if (round >= 0) rounds[index]!.push((performance.now() - begun) / 1000);
      texts[index] = stdout.trim();
    }
  }
  const title = `Cold start, ${values.model}, ${values.seconds} s of speech, ${threads} threads`;
  const machine = `${cpus().length} cores of ${cpus()[0]!.model}`;
  console.log(`\n**${title}**; ${values.rounds} rounds, ${machine}\n`);
  console.log('| | seconds (median) | least | faster (medians) |');
  console.log('|---|---|---|---|');
  const peerSeconds = median(rounds.at(-1)!);
  for (const [index, { name }] of commands.entries()) {
    const seconds = rounds[index]!;
    const cells = [
      name,
      median(seconds).toFixed(2),
      Math.min(...seconds).toFixed(2),
      `${(peerSeconds / median(seconds)).toFixed(2)}x`,
    ];
    console.log(`| ${cells.join(' | ')} |`);
  }
  console.log(`\n${commands.map(({ name }, index) => `${name}: ${texts[index]}`).join('\n')}`);
}

/** Medians: a command that does nothing, the first request less a second one (the model's process and its load), and that second one. */
async function printParts(path: string): Promise<void> {
  const parts: number[][] = [[], [], []];
  for (let round = 0; round < Number(values.rounds); round += 1) {
    const command = await secondsOf(() => promisify(execFile)(process.execPath, [MAIN, '--version']));
    const percept = await startPercept(values.model, threads);
    const first = await secondsOf(() => percept.transcribe(path, { beamSize: undefined }));
    const second = await secondsOf(() => percept.transcribe(path, { beamSize: undefined }));
    await percept.close();
    [command, first - second, second].forEach((seconds, index) => {
      parts[index]!.push(seconds);
    });
  }
  const [command, load, work] = parts.map((seconds) => median(seconds).toFixed(2));
  console.log(
    `\nOf Percept's: the command line ${command} s, start and load of the model ${load} s, the transcript ${work} s.`,
  );
}

async function secondsOf(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work();
  return (performance.now() - begun) / 1000;
}
