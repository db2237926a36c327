import assert from 'node:assert/strict';
import test from 'node:test';
import { fileFigures, modelFigures } from '../../src/cli/bench-figures.ts';
import { type BenchReport, formatReport } from '../../src/cli/bench-report.ts';
import { median } from '../../src/cli/statistics.ts';
import type { TimedTranscription } from '../../src/cli/timed-transcription.ts';

/** One hearing of a recording of ten seconds. */
function heard(seconds: number, text: string): TimedTranscription {
  return {
    seconds,
    firstTextSeconds: seconds / 2,
    transcript: {
      model: 'whisper-base-int8',
      task: 'transcribe',
      language: 'en',
      languageProbability: 1,
      durationSeconds: 10,
      text,
      segments: [],
      speechRatio: 1,
      timings: {
        decodeAudio: seconds / 100,
        voiceActivity: 0.1,
        features: 0.2,
        encoder: 0.3,
        decoder: seconds / 4,
        total: seconds,
      },
    },
  };
}

const told = fileFigures({ path: 'told.wav', reference: 'one two three four' }, [
  heard(4, 'one two'),
  heard(1, 'one two'),
  heard(2, 'one two three five'),
]);
const untold = fileFigures({ path: 'untold.wav', reference: undefined }, [heard(3, 'hm')]);
const PROCESS = { model: 'whisper-base-int8', loadSeconds: 0.5, peakBytes: 300_000_000 };

test('the median is the middle value, or the mean of the two in the middle', () => {
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([10, 9, 1, 2]), 5.5);
  assert.equal(median([7]), 7);
  assert.ok(Number.isNaN(median([])));
});

test('a file counts with the medians of its rounds and the text of the last', () => {
  assert.deepEqual(
    [told.audioSeconds, told.seconds, told.firstTextSeconds, told.stages.decoder],
    [10, 2, 1, 0.5],
  );
  assert.deepEqual(told.secondsByRound, [4, 1, 2]);
  assert.equal(told.text, 'one two three five');
  assert.deepEqual(told.wordErrors, { errors: 1, words: 4 });
});

test('a model counts with the sums over the files, and the word errors of those with a reference', () => {
  const figures = modelFigures([told, untold], PROCESS);
  assert.deepEqual(
    [figures.audioSeconds, figures.seconds, figures.realTimeFactor, figures.timesRealTime],
    [20, 5, 0.25, 4],
  );
  assert.equal(figures.firstTextSeconds, (1 + 1.5) / 2);
  assert.deepEqual([figures.wordErrors, figures.wordErrorRate], [{ errors: 1, words: 4 }, 0.25]);
  assert.equal(figures.stages.decoder, 0.5 + 0.75);
  assert.equal(modelFigures([untold], PROCESS).wordErrors, null);
  const silence = fileFigures({ path: 'silence.wav', reference: '' }, [heard(1, 'you')]);
  const { wordErrors, wordErrorRate } = modelFigures([silence], PROCESS);
  assert.deepEqual([wordErrors, wordErrorRate], [{ errors: 1, words: 0 }, null]);
});

const REPORT: BenchReport = {
  conditions: {
    percept: '1.2.3',
    node: '20.19.0',
    onnxRuntime: '1.30.0',
    platform: 'linux x64',
    cpu: 'A Processor',
    cores: 2,
    date: '2026-01-02T03:04:05.000Z',
    files: 2,
    rounds: 3,
    threads: 1,
    beamSize: 5,
  },
  models: [
    modelFigures([told, untold], PROCESS),
    modelFigures([untold], { model: 'whisper-tiny.en-int8', loadSeconds: 0.25, peakBytes: null }),
  ],
  commandPeakBytes: 90_000_000,
  failures: [],
};

test('the table has the conditions first, then a column for each model, in line', () => {
  const lines = formatReport(REPORT).split('\n');
  assert.deepEqual(lines.slice(0, 3), [
    'Percept 1.2.3, Node.js 20.19.0, ONNX Runtime 1.30.0, linux x64',
    '2 cores of A Processor, 1 thread, 2026-01-02T03:04:05.000Z',
    '2 files one at a time, 3 rounds, beam 5',
  ]);
  const table = lines.slice(4, -3);
  const [head, ...rows] = table as [string, ...string[]];
  const column = head.indexOf('whisper-tiny.en-int8');
  assert.ok(column > head.indexOf('whisper-base-int8'));
  for (const row of rows) assert.match(row.slice(column - 2), /^ {2}\S/, row);
  const cells = Object.fromEntries(
    rows.map((row) => row.trim().split(/ {2,}/)).map(([label, ...rest]) => [label, rest]),
  );
  assert.deepEqual(cells['load'], ['0.500 s', '0.250 s']);
  assert.deepEqual(cells['real-time factor'], ['0.2500', '0.3000']);
  assert.deepEqual(cells['times real time'], ['4.0x', '3.3x']);
  assert.deepEqual(cells['word error rate'], ['25.00 % (1/4)', '—']);
  assert.deepEqual(cells['decoder'], ['1.250 s', '0.750 s']);
  assert.deepEqual(cells['peak memory'], ['300 MB', '—']);
  assert.equal(lines.at(-2), 'Peak memory of the command itself: 90.0 MB.');
});

test('the conditions say which search was asked for', () => {
  const told = (beamSize: number) =>
    formatReport({ ...REPORT, conditions: { ...REPORT.conditions, beamSize } }).split('\n')[2];
  assert.match(told(2)!, /, beam 2$/);
  assert.match(told(1)!, /, greedy$/);
});

test('without any figures the report says so', () => {
  assert.match(formatReport({ ...REPORT, models: [] }), /^Percept 1.*\n\nNothing could be transcribed\.\n$/s);
});
