/** Clients that ask a server for file after file and compare every answer with the one that the file had alone. */
import { basename } from 'node:path';
import { sleep } from '../src/base/abort.ts';
import { postTranscription } from './client.ts';
import type { SoakFile } from './soak-files.ts';

export interface Question {
  readonly file: SoakFile;
  readonly withWords: boolean;
}

export interface SoakPlan {
  readonly url: string;
  readonly clients: number;
  /** No new question after it; those under way are waited for. */
  readonly seconds: number;
  /** Taken from by all clients. */
  readonly questions: Iterator<Question, never>;
  /** From 0 to 1. */
  readonly random: () => number;
  /** Share of the clients that leave within `MAX_PATIENCE_SECONDS`. */
  readonly hangUps: number;
  /** What each question was answered alone, by `questionKey`. */
  readonly expected: ReadonlyMap<string, string>;
}

/** What came of it so far; grows while the clients run. */
export interface Tally {
  answers: number;
  /** Of the recordings that were answered. */
  audioSeconds: number;
  /** How often a full queue was waited for. */
  waits: number;
  hangUps: number;
  /** In words, mismatches and errors. */
  readonly failures: string[];
}

const MAX_PATIENCE_SECONDS = 3;

export function newTally(): Tally {
  return { answers: 0, audioSeconds: 0, waits: 0, hangUps: 0, failures: [] };
}

/** Fills the tally; resolves with the seconds that it took. Never rejects for what the server does. */
export async function runClients(plan: SoakPlan, tally: Tally): Promise<number> {
  const begun = performance.now();
  const elapsed = () => (performance.now() - begun) / 1000;
  const client = async () => {
    while (elapsed() < plan.seconds) await askOnce(plan.questions.next().value, plan, tally);
  };
  await Promise.all(Array.from({ length: plan.clients }, client));
  return elapsed();
}

/** The text, and with word times the words. Waits when the queue is full; throws for any other answer. */
export async function ask(
  url: string,
  question: Question,
  { signal, onWait }: { readonly signal?: AbortSignal; onWait?(): void } = {},
): Promise<string> {
  for (;;) {
    const form = { path: question.file.path, fields: fieldsOf(question), signal };
    const answer = await postTranscription(url, form);
    if (answer.status === 200) return comparable(answer.body);
    const retryAfterSeconds = Number(answer.headers['retry-after']);
    if (answer.status !== 429 || !(retryAfterSeconds >= 1))
      throw new Error(`status ${answer.status}: ${answer.body}`);
    onWait?.();
    await sleep(retryAfterSeconds * 1000, signal);
  }
}

export function questionKey({ file, withWords }: Question): string {
  return `${basename(file.path)}${withWords ? ' with words' : ''}`;
}

async function askOnce(question: Question, plan: SoakPlan, tally: Tally): Promise<void> {
  const isHangUp = plan.random() < plan.hangUps;
  const patienceMs = Math.round(plan.random() * MAX_PATIENCE_SECONDS * 1000);
  const leaving = isHangUp ? AbortSignal.timeout(patienceMs) : undefined;
  const key = questionKey(question);
  try {
    const onWait = () => {
      tally.waits += 1;
    };
    const answer = await ask(plan.url, question, { ...(leaving && { signal: leaving }), onWait });
    tally.answers += 1;
    tally.audioSeconds += question.file.seconds;
    const expected = plan.expected.get(key);
    if (answer !== expected) tally.failures.push(`${key}: ${difference(expected ?? '', answer)}`);
  } catch (error) {
    if (leaving?.aborted) tally.hangUps += 1;
    else tally.failures.push(`${key}: ${error}`);
  }
}

function fieldsOf({ withWords }: Question): [string, string][] {
  if (!withWords) return [['model', 'whisper-1']];
  return [
    ['model', 'whisper-1'],
    ['response_format', 'verbose_json'],
    ['timestamp_granularities[]', 'segment'],
    ['timestamp_granularities[]', 'word'],
  ];
}

function comparable(body: string): string {
  const { text, words } = JSON.parse(body) as { text: string; words?: unknown };
  return words === undefined ? text : `${text}\n${JSON.stringify(words)}`;
}

/** Both from where they part. */
function difference(expected: string, got: string): string {
  let at = 0;
  while (at < expected.length && expected[at] === got[at]) at += 1;
  const part = (text: string) => JSON.stringify(text.slice(Math.max(0, at - 20), at + 60));
  return `alone ${part(expected)}, now ${part(got)}`;
}
