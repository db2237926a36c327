/** `percept demo`: from nothing to real transcripts of real recordings, with what is right and how fast it went. */
import type { Command } from 'commander';
import { formatWordErrors, totalWordErrors, type WordErrors, wordErrors } from '../speech/word-error-rate.ts';
import type { CliContext, SpeechApp } from './context.ts';
import { prepareLibrivox, type Recording } from './librivox.ts';
import { prepareModel } from './prepare-model.ts';

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
    const recordings = await prepareLibrivox(app.store, { context, isQuiet: false });
    await transcribeAll(app, recordings, context);
  } finally {
    await app.close({ timeoutMs: 0 });
  }
}

async function transcribeAll(
  app: SpeechApp,
  recordings: readonly Recording[],
  { stdout, signal }: CliContext,
): Promise<void> {
  const request = { model: MODEL, task: 'transcribe' } as const;
  await app.speech.warm(MODEL, signal);
  const all: WordErrors[] = [];
  let audioSeconds = 0;
  let workSeconds = 0;
  stdout.write(`\n${MODEL} on five recordings of "Sense and Sensibility" (LibriVox, public domain)\n`);
  for (const { path, reference } of recordings) {
    const transcript = await app.speech.transcribe(path, request, { signal });
    const found = wordErrors(reference, transcript.text);
    all.push(found);
    audioSeconds += transcript.durationSeconds;
    workSeconds += transcript.timings.total;
    stdout.write(`\n  heard      ${transcript.text}\n  reference  ${reference}\n`);
    stdout.write(
      `             ${found.errors} of ${found.words} words differ, ${transcript.durationSeconds.toFixed(1)} s of audio in ${transcript.timings.total.toFixed(2)} s\n`,
    );
  }
  stdout.write(
    `\nWord error rate ${formatWordErrors(totalWordErrors(all))}; the second "a" in the fourth reference is not in the recording.\n`,
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
