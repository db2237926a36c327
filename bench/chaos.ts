/**
 * Kills the server, its workers, their models and Redis at random moments while recordings are processed, and says what became of each:
 *   PERCEPT_TEST_HOME=... node dist/bench/chaos.js [--queue sqlite|redis] [--tasks 300] [--seed 1] RECORDING...
 */
import { parseArgs } from 'node:util';
import { runChaos } from '../test-models/support/chaos.ts';
import { randomNumbers } from '../test-models/support/random-numbers.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    queue: { type: 'string', default: 'sqlite' },
    tasks: { type: 'string', default: '300' },
    seed: { type: 'string', default: '1' },
    retention: { type: 'string' },
  },
});

const report = await runChaos({
  queue: values.queue === 'redis' ? 'redis' : 'sqlite',
  recordings: positionals,
  tasks: Number(values.tasks),
  killEveryMs: 1500,
  random: randomNumbers(Number(values.seed)),
  ...(values.retention === undefined ? {} : { retentionSeconds: Number(values.retention) }),
  env: { PERCEPT_MODELS_SPEECH: 'whisper-tiny.en', PERCEPT_MODELS_LANGUAGE: 'smollm2-135m-instruct' },
});
console.log(JSON.stringify(report, null, 2));
if (report.violations.length > 0) process.exitCode = 1;
