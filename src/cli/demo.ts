/** `percept demo`: from nothing to real transcripts of real recordings, with what is right and how fast it went, and to named drawings. */
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { formatWordErrors, totalWordErrors, type WordErrors, wordErrors } from '../speech/word-error-rate.ts';
import type { VisionService } from '../vision/service.ts';
import type { CliContext, SpeechApp } from './context.ts';
import { findImageFiles, readImageFile } from './image-files.ts';
import { prepareLibrivox, type Recording } from './librivox.ts';
import { prepareModel } from './prepare-model.ts';

const MODEL = 'whisper-base-int8';
const TOY = 'clip-shapes';
/** They lie beside its weights. */
const EXAMPLES = fileURLToPath(new URL('../../../models/clip-shapes/examples/', import.meta.url));
const DRAWN = [
  'a red circle',
  'two blue squares',
  'three yellow stars',
  'two orange stars',
  'a green triangle on the left',
  'a purple heart at the top',
];

export function register(program: Command, context: CliContext): void {
  program
    .command('demo')
    .description(
      'download a model and five public-domain recordings, transcribe them, and look at some drawings',
    )
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
  const seeing = context.openVision(config);
  try {
    await classifyAll(seeing.vision, context);
  } finally {
    await seeing.close({ timeoutMs: 0 });
  }
  context.stdout.write(NEXT);
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
}

/** With the toy that comes with Percept: what is drawn, over what might be. */
async function classifyAll(vision: VisionService, { stdout, signal }: CliContext): Promise<void> {
  stdout.write(`\n${TOY}, a toy that knows drawings of shapes, on three of its examples\n\n`);
  const files = (await findImageFiles(EXAMPLES)).slice(0, 3);
  const labels = DRAWN.map((value) => ({ name: 'label', value }));
  for (const file of files) {
    const images = [{ name: basename(file), value: await readImageFile(file) }];
    const { rankings } = await vision.classify(
      { model: TOY, images, labels, templates: [], topK: 2 },
      signal,
    );
    const [first, second] = rankings[0]!.map(({ text, score }) => `${text} ${score.toFixed(3)}`);
    stdout.write(`  ${basename(file, '.png').padEnd(30)} ${first}, then ${second}\n`);
  }
}

const NEXT = `
Next:
  npx percept transcribe FILE          your own recording, any format that ffmpeg reads
  npx percept search FOLDER "a cat"     your own pictures; downloads a real CLIP at the first time
  npm start                            the server, on http://127.0.0.1:11437 (its routes at /docs)
  npx percept doctor                   what works on this machine, and what to do about the rest
`;
