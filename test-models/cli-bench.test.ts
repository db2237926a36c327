/** `percept bench` on real recordings. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { STAGES } from '../src/cli/bench-figures.ts';
import type { BenchReport } from '../src/cli/bench-report.ts';
import {
  childProcessIds,
  cpuSeconds,
  eventually,
  isAlive,
  NO_CPU_SECONDS,
} from '../test/support/processes.ts';
import { temporaryFile, temporaryFolder } from '../test/support/temporary.ts';
import { percept, startPercept } from './support/command-line.ts';
import { joined, samplesOf, wav } from './support/recordings.ts';
import { librivox, missingWeights } from './support/weights.ts';

const MODELS = ['whisper-base-int8', 'whisper-tiny.en-int8'];
const skip = await missingWeights(...MODELS);
const recordings = skip === false ? await librivox() : [];

test('without files it measures models on the recordings of LibriVox, with every figure', {
  skip,
}, async () => {
  const { code, stdout, stderr } = await percept([
    'bench',
    ...['--json', '--rounds', '2', '--threads', '1'],
    ...MODELS.flatMap((model) => ['--model', model]),
  ]);
  assert.deepEqual([code, stderr], [0, '']);
  const { conditions, models, commandPeakBytes, failures } = JSON.parse(stdout) as BenchReport;
  assert.deepEqual([conditions.files, conditions.rounds, conditions.threads], [5, 2, 1]);
  assert.match(conditions.onnxRuntime, /^\d+\.\d+\.\d+$/);
  assert.match(conditions.percept, /^\d+\.\d+\.\d+/);
  assert.deepEqual(failures, []);
  assert.deepEqual(
    models.map(({ model }) => model),
    MODELS,
  );
  const isKnown = process.platform === 'linux';
  assert.equal(commandPeakBytes !== null, isKnown);
  for (const figures of models) {
    assert.ok(figures.wordErrorRate! <= 0.1, `${figures.model}: ${figures.wordErrorRate}`);
    assert.equal(figures.wordErrors!.words, 71);
    const { loadSeconds, audioSeconds, seconds, realTimeFactor, timesRealTime, firstTextSeconds } = figures;
    for (const [name, value] of Object.entries({
      ...{ loadSeconds, audioSeconds, seconds, realTimeFactor, timesRealTime, firstTextSeconds },
      ...figures.stages,
    }))
      assert.ok(value > 0, `${figures.model}: ${name} is ${value}`);
    assert.ok(STAGES.every((stage) => figures.stages[stage] < seconds));
    // The weights alone are more.
    if (isKnown) assert.ok(figures.peakBytes! > 50e6, `${figures.model}: ${figures.peakBytes}`);
    assert.deepEqual(
      figures.files.map(({ secondsByRound }) => secondsByRound.length),
      [2, 2, 2, 2, 2],
    );
  }
});

test('a file that fails is named, and the others are measured', { skip }, async (t) => {
  const bad = await temporaryFile(t, 'bad.mp3', Buffer.from('no audio'));
  const [good] = recordings as [(typeof recordings)[number]];
  const list = join(await temporaryFolder(t), 'list.tsv');
  await writeFile(list, `${bad}\tnothing\n${good.path}\t${good.reference}\n`);
  const { code, stdout, stderr } = await percept([
    'bench',
    ...['--references', list, '--rounds', '1', '--model', MODELS[0]!],
    bad,
    good.path,
  ]);
  assert.equal(code, 1);
  assert.match(stderr, /bad\.mp3: .*audio/);
  assert.match(stdout, /^Percept \d.*\n.*\n2 files one at a time, 1 round, /);
  assert.match(stdout, /^word error rate +\d+\.\d+ % \(\d+\/\d+\)$/m);
  const onlyBad = await percept(['bench', '--json', '--model', MODELS[0]!, bad]);
  const report = JSON.parse(onlyBad.stdout) as BenchReport;
  assert.equal(onlyBad.code, 1);
  assert.deepEqual(report.models, []);
  assert.deepEqual(
    report.failures.map(({ model, file, code }) => [model, file, code]),
    [[MODELS[0], bad, 'unsupported_audio']],
  );
});

test('Ctrl-C ends it within three seconds, and nothing is left running', {
  skip: skip || NO_CPU_SECONDS,
}, async (t) => {
  const parts = await Promise.all(recordings.map(({ path }) => samplesOf(path)));
  const path = join(await temporaryFolder(t), 'long.wav');
  await writeFile(path, wav(joined(Array.from({ length: 30 }, () => parts).flat(), 1).samples));
  const command = startPercept(['bench', '--model', MODELS[0]!, path]);
  const isAtWork = () => childProcessIds(command.pid).some((pid) => cpuSeconds(pid) > 2);
  await eventually(isAtWork, 'the model is at work');
  const processes = childProcessIds(command.pid);
  const interrupted = Date.now();
  command.interrupt();
  const { code, stdout } = await command.ended;
  assert.ok(Date.now() - interrupted < 3000, `${Date.now() - interrupted} ms`);
  assert.deepEqual([code, stdout], [1, '']);
  await eventually(() => processes.every((pid) => !isAlive(pid)), 'its processes have ended');
});
