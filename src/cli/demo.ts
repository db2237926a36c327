/** `percept demo`: from nothing to real transcripts of real recordings, with what is right and how fast it went. */
import type { Command } from 'commander';
import { type WordErrors, wordErrors } from '../speech/word-error-rate.ts';
import type { CliContext, SpeechApp } from './context.ts';
import { type Recording, readLibrivox } from './librivox.ts';
import { prepareModel } from './prepare-model.ts';
import { PullProgressBars } from './pull.ts';

const MODEL = 'whisper-base-int8';

export function register(program: Command, context: CliContext): void {
  program
    .command('demo')
    .description('download a model and five public-domain recordings, and transcribe them')
    .action(() => demo(context));
}

async function demo(context: CliContext): Promise<void> {
  const { config } = context.loadConfig();
  const app = context.openSpeech(config);
  try {
    await prepareModel(app.speech, MODEL, { context, isQuiet: false });
    const recordings = await loadRecordings(app, context);
    await transcribeAll(app, recordings, context);
  } finally {
    await app.close({ timeoutMs: 0 });
  }
}

async function loadRecordings(app: SpeechApp, context: CliContext): Promise<readonly Recording[]> {
  const bars = new PullProgressBars(context);
  try {
    const directory = await app.store.dataset('librivox', {
      signal: context.signal,
      onProgress: (event) => bars.show(event),
    });
    return await readLibrivox(directory);
  } finally {
    bars.end();
  }
}

async function transcribeAll(
  app: SpeechApp,
  recordings: readonly Recording[],
  { stdout, signal }: CliContext,
): Promise<void> {
  const request = { model: MODEL, task: 'transcribe' } as const;
  await app.speech.warm(MODEL, signal);
  let all: WordErrors = { errors: 0, words: 0 };
  let audioSeconds = 0;
  let workSeconds = 0;
  stdout.write(`\n${MODEL} on five recordings of "Sense and Sensibility" (LibriVox, public domain)\n`);
  for (const { path, reference } of recordings) {
    const transcript = await app.speech.transcribe(path, request, { signal });
    const found = wordErrors(reference, transcript.text);
    all = { errors: all.errors + found.errors, words: all.words + found.words };
    audioSeconds += transcript.durationSeconds;
    workSeconds += transcript.timings.total;
    stdout.write(`\n  heard      ${transcript.text}\n  reference  ${reference}\n`);
    stdout.write(
      `             ${found.errors} of ${found.words} words differ, ${transcript.durationSeconds.toFixed(1)} s of audio in ${transcript.timings.total.toFixed(2)} s\n`,
    );
  }
  const rate = ((100 * all.errors) / all.words).toFixed(1);
  stdout.write(
    `\nWord error rate ${rate} % (${all.errors} of ${all.words}; the second "a" in the fourth reference is not in the recording).\n`,
  );
  stdout.write(
    `Speed: ${audioSeconds.toFixed(1)} s of audio in ${workSeconds.toFixed(2)} s, ${(audioSeconds / workSeconds).toFixed(0)}x real time.\n`,
  );
  stdout.write(NEXT);
}

const NEXT = `
Next:
  npx percept transcribe FILE          your own recording, any format that ffmpeg reads
  npm start                            the server, on http://127.0.0.1:11437 (its routes at /docs)
  npx percept doctor                   what works on this machine, and what to do about the rest
`;
