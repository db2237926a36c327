/**
 * Short recordings one at a time, Percept beside faster-whisper, interleaved in one run: the same weights, threads and files.
 * Percept's time is that of a whole request to a loaded model, from the path of the file to the transcript, through its processes.
 *
 *     node dist/bench/short-files.js --python VENV/bin/python [--model whisper-base] [--rounds 5] [FILE=REFERENCE ...]
 */
import { readFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { createApp } from '../src/app.ts';
import { silentLogger } from '../src/base/logger.ts';
import { readEnvironment } from '../src/config/environment.ts';
import { loadConfig } from '../src/config/load.ts';
import { wordErrors } from '../src/speech/word-error-rate.ts';
import { startFasterWhisper } from './peer.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    python: { type: 'string' },
    model: { type: 'string', default: 'whisper-base' },
    rounds: { type: 'string', default: '5' },
    threads: { type: 'string', default: '2' },
  },
});
if (values.python === undefined) throw new Error('--python must name an interpreter with faster-whisper.');

const env = readEnvironment();
const { config } = loadConfig({ env, flags: { 'models.threads': values.threads } });
const app = createApp({ config, env, logger: silentLogger });
const model = await app.speech.prepare(`${values.model}-int8`);
const recordings = [...(await librivox()), ...positionals.map(named)];
const { directory } = await app.store.require(values.model);
const peer = await startFasterWhisper({
  python: values.python,
  model: directory,
  computeType: 'int8',
  threads: Number(values.threads),
});

/** Each contender by its name: seconds for each file and round, and its texts. */
const CONTENDERS: Record<string, (path: string) => Promise<{ seconds: number; text: string }>> = {
  'percept, default (beam 5)': (path) => ours(path, 5),
  'percept, greedy': (path) => ours(path, 1),
  'faster-whisper int8, beam 5': (path) => peer.transcribe(path, 5),
  'faster-whisper int8, beam 1': (path) => peer.transcribe(path, 1),
};
const names = Object.keys(CONTENDERS);
const seconds = Object.fromEntries(names.map((name) => [name, recordings.map((): number[] => [])]));
const texts = Object.fromEntries(names.map((name) => [name, recordings.map(() => '')]));
for (let round = 0; round <= Number(values.rounds); round += 1) {
  for (const [index, { path }] of recordings.entries()) {
    for (const [name, transcribe] of Object.entries(CONTENDERS)) {
      const result = await transcribe(path);
      // The first round warms both up.
      if (round === 0) texts[name]![index] = result.text;
      else seconds[name]![index]!.push(result.seconds);
    }
  }
}
report();
peer.close();
await app.close({ timeoutMs: 0 });

async function ours(path: string, beamSize: number): Promise<{ seconds: number; text: string }> {
  const started = performance.now();
  const { text } = await app.speech.transcribe(
    path,
    { model, task: 'transcribe', beamSize },
    { signal: new AbortController().signal },
  );
  return { seconds: (performance.now() - started) / 1000, text };
}

async function librivox(): Promise<{ path: string; reference: string }[]> {
  const folder = await app.store.dataset('librivox');
  const lines = (await readFile(join(folder, 'transcription'), 'utf8')).trim().split('\n');
  return lines.map((line) => {
    const [, reference, name] = /^<s> (.*) <\/s> \((.*)\)$/.exec(line)!;
    return { path: join(folder, `${name}.wav`), reference: reference! };
  });
}

function named(pair: string): { path: string; reference: string } {
  const at = pair.indexOf('=');
  return { path: pair.slice(0, at), reference: pair.slice(at + 1) };
}

function report(): void {
  const median = (list: readonly number[]) => [...list].sort((a, b) => a - b)[list.length >> 1]!;
  const total = (name: string, pick: (list: readonly number[]) => number) =>
    seconds[name]!.reduce((sum, list) => sum + pick(list), 0);
  const baseline = 'faster-whisper int8, beam 5';
  console.log(
    `${values.model}, ${recordings.length} files (${recordings.map(({ path }) => basename(path).slice(-8, -4)).join(' ')}), ${values.rounds} rounds, ${values.threads} threads, ${cpus()[0]!.model}`,
  );
  console.log(
    `| contender | seconds, sum of medians | of minima | ratio to ${baseline} (medians / minima) | WER |`,
  );
  console.log('|---|---|---|---|---|');
  for (const name of names) {
    const found = recordings.map(({ reference }, index) => wordErrors(reference, texts[name]![index]!));
    const errors = found.reduce((sum, one) => sum + one.errors, 0);
    const words = found.reduce((sum, one) => sum + one.words, 0);
    const [medians, minima] = [total(name, median), total(name, (list) => Math.min(...list))];
    const ratio = `${(total(baseline, median) / medians).toFixed(2)}x / ${(total(baseline, (list) => Math.min(...list)) / minima).toFixed(2)}x`;
    console.log(
      `| ${name} | ${medians.toFixed(2)} | ${minima.toFixed(2)} | ${ratio} | ${((100 * errors) / words).toFixed(2)} % (${errors}/${words}) |`,
    );
  }
}
