/** Contenders on the same recordings, one after the other within each round, so that what disturbs one disturbs all. */
import { cpus } from 'node:os';
import { median } from '../src/cli/statistics.ts';
import { formatWordErrors, totalWordErrors, wordErrors } from '../src/speech/word-error-rate.ts';

export interface Recording {
  readonly path: string;
  readonly reference: string;
}

export interface Heard {
  readonly seconds: number;
  /** Until the first segment. */
  readonly firstSeconds: number;
  readonly text: string;
  /** What the process with the model has held at most since it began. */
  readonly peakBytes: number;
}

export interface Contender {
  readonly name: string;
  hear(path: string): Promise<Heard>;
}

interface Results {
  readonly name: string;
  /** For each recording, one for each round. */
  readonly heard: readonly Heard[][];
}

export interface Conditions {
  readonly title: string;
  readonly rounds: number;
  /** Heard once by everybody, one after the other, before anything counts. */
  readonly warmUp: readonly Recording[];
  /** All recordings are asked for at once; each then counts its share of the time until the last has come. */
  readonly isTogether: boolean;
  /** The contender that the ratios are to. */
  readonly baseline: string;
}

/** Prints a table in Markdown. */
export async function compare(
  contenders: readonly Contender[],
  recordings: readonly Recording[],
  conditions: Conditions,
): Promise<void> {
  const results: Results[] = contenders.map(({ name }) => ({ name, heard: recordings.map(() => []) }));
  for (const contender of contenders)
    for (const recording of conditions.warmUp) await contender.hear(recording.path);
  for (let round = 0; round < conditions.rounds; round += 1) {
    for (const group of conditions.isTogether ? [recordings] : recordings.map((one) => [one])) {
      for (const [place, contender] of contenders.entries()) {
        const heard = await hearTogether(contender, group);
        heard.forEach((one, index) => {
          results[place]!.heard[recordings.indexOf(group[index]!)]!.push(one);
        });
      }
    }
  }
  report(results, recordings, conditions);
}

async function hearTogether(contender: Contender, recordings: readonly Recording[]): Promise<Heard[]> {
  const begun = performance.now();
  const heard = await Promise.all(recordings.map(({ path }) => contender.hear(path)));
  const seconds = (performance.now() - begun) / 1000 / recordings.length;
  return heard.map((one) => ({ ...one, seconds }));
}

function report(
  results: readonly Results[],
  recordings: readonly Recording[],
  { title, rounds, baseline }: Conditions,
): void {
  const base = results.find(({ name }) => name === baseline)!;
  console.log(`\n**${title}**; ${rounds} rounds, ${cpus().length} cores of ${cpus()[0]!.model}\n`);
  console.log('| | seconds (medians) | faster (medians / minima) | first text after | WER | peak memory |');
  console.log('|---|---|---|---|---|---|');
  for (const one of results) {
    const ratio = (pick: Pick) =>
      `${(total(base, 'seconds', pick) / total(one, 'seconds', pick)).toFixed(2)}x`;
    const peak = Math.max(...one.heard.flat().map(({ peakBytes }) => peakBytes)) / 1e6;
    const cells = [
      one.name,
      total(one, 'seconds', median).toFixed(2),
      `${ratio(median)} / ${ratio((list) => Math.min(...list))}`,
      `${(total(one, 'firstSeconds', median) / recordings.length).toFixed(2)} s`,
      errorRate(one, recordings),
      `${peak.toFixed(0)} MB`,
    ];
    console.log(`| ${cells.join(' | ')} |`);
  }
}

type Pick = (list: readonly number[]) => number;

/** The sum over the recordings of what `pick` takes of the rounds. */
function total({ heard }: Results, key: 'seconds' | 'firstSeconds', pick: Pick): number {
  return heard.reduce((sum, rounds) => sum + pick(rounds.map((one) => one[key])), 0);
}

/** Of the last round. */
function errorRate({ heard }: Results, recordings: readonly Recording[]): string {
  const found = recordings.map(({ reference }, index) => wordErrors(reference, heard[index]!.at(-1)!.text));
  return formatWordErrors(totalWordErrors(found));
}
