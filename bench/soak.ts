/**
 * Many clients of one server for a long time: no error, every text as if its file had been alone, memory flat, and more done than by one client.
 *
 *     node dist/bench/soak.js [--minutes 10] [--clients 8] [--solo-minutes 2] [--model whisper-base] [--threads 2] [--words 0.3] [--hang-ups 0.1] [--seed 1]
 *
 * --words is the share of requests for word times, --hang-ups that of clients that leave before their answer; none unless said. One client and many
 * take the same files, each equally often. The exit code is 1 after an error, an answer that differs or anything left behind. Linux only.
 */
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { uploadDirectoryOf } from '../src/server/uploads.ts';
import { eventually } from '../test/support/processes.ts';
import { randomNumbers } from '../test-models/support/random-numbers.ts';
import { type RunningService, startService } from '../test-models/support/service.ts';
import { install } from './percept.ts';
import { treeMemory } from './process-tree.ts';
import { ask, newTally, type Question, questionKey, runClients, type Tally } from './soak-client.ts';
import { type SoakFile, shuffledForEver, writeSoakFiles } from './soak-files.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    clients: { type: 'string', default: '8' },
    'solo-minutes': { type: 'string', default: '2' },
    model: { type: 'string', default: 'whisper-base' },
    threads: { type: 'string', default: '2' },
    words: { type: 'string', default: '0' },
    'hang-ups': { type: 'string', default: '0' },
    seed: { type: 'string', default: '1' },
  },
});

const { librivox, env } = await install(values.model, Number(values.threads));
const folder = await mkdtemp(join(tmpdir(), 'percept-bench-'));
try {
  const files = await writeSoakFiles(librivox, folder);
  const service = await startService({ env });
  try {
    await soak(service, files);
  } finally {
    await service.stop();
  }
} finally {
  await rm(folder, { recursive: true });
}

async function soak(service: RunningService, files: readonly SoakFile[]): Promise<void> {
  console.log(
    `\n**${values.model}, ${files.length} recordings of 2 s to 2 min, ${values.threads} threads**\n`,
  );
  await printMemory(service, 'at the start');
  const expected = await answersAlone(service.url, files);
  await printMemory(service, 'after each file alone');
  const random = randomNumbers(Number(values.seed));
  const run = (clients: number, minutes: number, tally: Tally) =>
    runClients(
      {
        url: service.url,
        clients,
        seconds: minutes * 60,
        questions: questionsOf(files, random),
        random,
        // One client alone is the measure: it stays.
        hangUps: clients === 1 ? 0 : Number(values['hang-ups']),
        expected,
      },
      tally,
    );

  const alone = newTally();
  const aloneSeconds = await run(1, Number(values['solo-minutes']), alone);
  const alonePace = printPace('one client', alone, aloneSeconds);

  const many = newTally();
  const begun = performance.now();
  const minutely = setInterval(() => {
    const minutes = Math.round((performance.now() - begun) / 60_000);
    void printMemory(service, `after ${minutes} min, ${many.answers} answers`);
  }, 60_000);
  const seconds = await run(Number(values.clients), Number(values.minutes), many).finally(() =>
    clearInterval(minutely),
  );
  const pace = printPace(`${values.clients} clients`, many, seconds);
  console.log(`- together ${(pace / alonePace).toFixed(2)}x of one client's throughput`);
  await printMemory(service, 'at the end');
  await conclude(service, [...alone.failures, ...many.failures]);
}

/** In turn, on an idle server. */
async function answersAlone(url: string, files: readonly SoakFile[]): Promise<Map<string, string>> {
  const answers = new Map<string, string>();
  for (const withWords of Number(values.words) > 0 ? [false, true] : [false])
    for (const file of files)
      answers.set(questionKey({ file, withWords }), await ask(url, { file, withWords }));
  return answers;
}

function* questionsOf(files: readonly SoakFile[], random: () => number): Generator<Question, never> {
  const order = shuffledForEver(files, random);
  for (;;) yield { file: order.next().value, withWords: random() < Number(values.words) };
}

async function printMemory(service: RunningService, when: string): Promise<void> {
  const { sumBytes } = await treeMemory(service.pid);
  console.log(`- memory ${when}: ${(sumBytes / 1e6).toFixed(0)} MB`);
}

/** Seconds of audio in a second. */
function printPace(who: string, tally: Tally, seconds: number): number {
  const { answers, audioSeconds, waits, hangUps, failures } = tally;
  const pace = audioSeconds / seconds;
  console.log(
    `- ${who}: ${answers} answers in ${seconds.toFixed(0)} s, ${pace.toFixed(1)} s of audio a second, ` +
      `${waits} waits for a full queue, ${hangUps} hang-ups, ${failures.length} failures`,
  );
  return pace;
}

async function conclude(service: RunningService, failures: readonly string[]): Promise<void> {
  const isIdle = async () =>
    (await service.health()).queueDepth === 0 && (await temporaryFiles(service)).length === 0;
  const leftBehind = await eventually(isIdle, 'no request and no upload is left').then(
    () => [],
    (error: Error) => [error.message],
  );
  const all = [...failures, ...leftBehind];
  for (const failure of all) console.log(`- FAILED ${failure}`);
  if (all.length > 0) process.exitCode = 1;
  else console.log('- every answer equal to its own alone, nothing left behind');
}

async function temporaryFiles({ pid }: RunningService): Promise<string[]> {
  const directory = uploadDirectoryOf(join(env['PERCEPT_HOME']!, 'uploads'), pid);
  const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isFile()).map(({ name }) => name);
}
