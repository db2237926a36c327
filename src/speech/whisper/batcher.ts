/**
 * One model's windows, whichever transcription they belong to: those of one shape are encoded and decoded as a batch, and
 * transcriptions take turns. A window's text never depends on the others in its batch.
 */
import type { Sound } from '../../audio/sound.ts';
import type { EncodedWindows, WhisperBackend } from '../../backends/contract.ts';
import { abortError } from '../../base/abort.ts';
import { createFairQueue, type Queued } from '../fair-queue.ts';
import type { Step, Stopwatch } from '../stopwatch.ts';
import type { SpeechTask } from '../transcript.ts';
import { alignText } from './align.ts';
import { type DecodedBatch, type DecodedWindow, decodeBatch } from './decode-batch.ts';
import { type DetectedLanguage, detectLanguages } from './detect-language.ts';
import { FRAMES_PER_SECOND, type MelFrontEnd, SAMPLE_RATE } from './mel.ts';
import { buildPrompt } from './prompt.ts';
import { type Method, rowsOf } from './search.ts';
import type { Tokenizer } from './tokenizer.ts';
import type { WhisperTokens } from './tokens.ts';
import { encodedFrames, type Window } from './windows.ts';

export interface Recogniser {
  readonly backend: WhisperBackend;
  readonly tokens: WhisperTokens;
  readonly tokenizer: Tokenizer;
  readonly frontEnd: MelFrontEnd;
}

/** One transcription, as the batcher sees it. */
export interface Listener {
  readonly sound: Sound;
  readonly task: SpeechTask;
  readonly batchSize: number;
  /** The times of tokens are wanted, too. */
  readonly wordTimestamps: boolean;
  readonly stopwatch: Stopwatch;
  readonly signal: AbortSignal;
  /** Undefined: the batcher sets it to the language of the first window that it hears. */
  language: DetectedLanguage | undefined;
}

/** One window, and how its text is to be searched for. */
export interface Hearing {
  readonly window: Window;
  /** Length to decode it at, one of the backend's. */
  readonly frames: number;
  /** The text before, in tokens. */
  readonly previous: readonly number[];
  readonly method: Method;
}

export interface HeardWindow extends DecodedWindow {
  /** Where each text token begins, and where the last one ends, in seconds from the window's start; undefined if not asked for. */
  readonly tokenTimes: readonly number[] | undefined;
}

export interface Batcher {
  /** Rejects with the signal's error when the listener's signal has fired. */
  hear(listener: Listener, hearing: Hearing): Promise<HeardWindow>;
}

/** Windows that are decoded together, and their audio on its way. */
interface Batch {
  readonly jobs: readonly Job[];
  readonly encoded: Promise<EncodedWindows>;
}

interface Job extends Hearing, Queued {
  readonly owner: Listener;
  /** Equal for windows that can be decoded together. */
  readonly shape: string;
  resolve(heard: HeardWindow): void;
  reject(error: unknown): void;
}

/** A batch of `batchSize` windows is meant for windows of this length, the usual one; longer ones are fewer, so that memory stays the same. */
const USUAL_FRAMES = 15 * FRAMES_PER_SECOND;
/** Each row has keys and values of its own, which grow with the text; a beam seldom has all the rows that it may. */
const MOST_ROWS = 40;
/**
 * A window may take this many tokens before it is taken for a repetition and heard again at full length. Spoken English needs
 * 3 to 5 a second; scripts that Whisper's vocabulary spells in bytes need up to 12.
 */
const TOKENS_PER_SECOND = 12;
const SPARE_TOKENS = 16;

export function createBatcher(recogniser: Recogniser): Batcher {
  const queue = createFairQueue<Job>();
  let isRunning = false;

  /** The next batch, whose encoding has begun; undefined when nobody waits. */
  function begin(): Batch | undefined {
    while (queue.length > 0) {
      const taken = queue.take(mayJoin);
      const jobs = taken.filter(({ owner }) => !owner.signal.aborted);
      for (const job of taken) if (job.owner.signal.aborted) job.reject(abortError(job.owner.signal));
      if (jobs.length === 0) continue;
      const encoded = encode(jobs, recogniser);
      // Whoever waits for it is told; until then it has failed for nobody.
      encoded.catch(() => {});
      return { jobs, encoded };
    }
    return undefined;
  }

  async function work(): Promise<void> {
    for (let batch = begin(); batch !== undefined; ) {
      const { jobs, encoded } = batch;
      await encoded.catch(() => {});
      const beside = recogniser.backend.encodesBeside ? begin() : undefined;
      await answer(jobs, encoded);
      // Those who have their text add what they want next, before the next batch is chosen.
      await new Promise(setImmediate);
      batch = beside ?? begin();
    }
    isRunning = false;
  }

  async function answer(jobs: readonly Job[], encoded: Promise<EncodedWindows>): Promise<void> {
    try {
      const heard = await hearTogether(jobs, await encoded, recogniser);
      jobs.forEach((job, place) => {
        if (job.owner.signal.aborted) job.reject(abortError(job.owner.signal));
        else job.resolve(heard[place]!);
      });
    } catch (error) {
      for (const job of jobs) job.reject(error);
    }
  }

  return {
    hear(owner, hearing) {
      return new Promise((resolve, reject) => {
        queue.add({
          ...hearing,
          owner,
          cost: hearing.frames,
          shape: shapeOf(hearing),
          resolve,
          reject,
        });
        if (isRunning) return;
        isRunning = true;
        setImmediate(() => void work());
      });
    },
  };
}

function shapeOf({ frames, previous, method }: Hearing): string {
  return JSON.stringify([frames, previous.length, method]);
}

function mayJoin({ shape }: Job, taken: readonly [Job, ...Job[]]): boolean {
  const [first] = taken;
  return shape === first.shape && taken.length < mostWindows(first);
}

function mostWindows({ owner, frames, method }: Job): number {
  const byLength = Math.floor(owner.batchSize * Math.min(1, USUAL_FRAMES / frames));
  return Math.max(1, Math.min(byLength, Math.floor(MOST_ROWS / rowsOf(method))));
}

async function hearTogether(
  jobs: readonly Job[],
  audio: EncodedWindows,
  recogniser: Recogniser,
): Promise<HeardWindow[]> {
  try {
    return await timed('decoder', jobs, async () => {
      await findLanguages(jobs, audio, recogniser);
      const { decoded, order } = await decode(audio, jobs, recogniser);
      const heard: HeardWindow[] = [];
      for (const [place, text] of decoded.entries()) {
        const index = order.indexOf(place);
        heard.push({
          ...text,
          tokenTimes: await timesOf(text, { audio, index, job: jobs[place]!, recogniser }),
        });
      }
      return heard;
    });
  } finally {
    audio.release();
  }
}

interface Alignment {
  readonly audio: EncodedWindows;
  readonly index: number;
  readonly job: Job;
  readonly recogniser: Recogniser;
}

async function timesOf(
  { tokens: decoded }: DecodedWindow,
  { audio, index, job, recogniser }: Alignment,
): Promise<readonly number[] | undefined> {
  const { owner, window } = job;
  if (!owner.wordTimestamps || owner.signal.aborted) return undefined;
  const seconds = (window.end - window.start) / SAMPLE_RATE;
  const { backend, tokens } = recogniser;
  return alignText(
    audio,
    { index, seconds, tokens: decoded },
    { backend, tokens, prompt: promptOf(job, recogniser) },
  );
}

async function encode(jobs: readonly Job[], { backend, frontEnd }: Recogniser): Promise<EncodedWindows> {
  const mels = await timed('features', jobs, async () =>
    jobs.map(({ owner, window, frames }) =>
      frontEnd.features(
        owner.sound.read(window.start, window.end),
        encodedFrames(window, frames, backend.windowFrames),
      ),
    ),
  );
  return timed('encoder', jobs, () => backend.encode(mels, jobs[0]!.frames));
}

async function findLanguages(
  jobs: readonly Job[],
  audio: EncodedWindows,
  recogniser: Recogniser,
): Promise<void> {
  if (jobs.every(({ owner }) => owner.language !== undefined)) return;
  const languages = await detectLanguages(audio, recogniser);
  jobs.forEach(({ owner }, place) => {
    owner.language ??= languages[place];
  });
}

function decode(audio: EncodedWindows, jobs: readonly Job[], recogniser: Recogniser): Promise<DecodedBatch> {
  const { backend, tokens } = recogniser;
  const { frames, method } = jobs[0]!;
  const prompts = jobs.map((job) => promptOf(job, recogniser));
  const longest = Math.min(backend.maxText, backend.maxTokens - prompts[0]!.length);
  return decodeBatch(audio, {
    backend,
    tokens,
    method,
    frames,
    prompts,
    maxTokens: jobs.map(({ window }) => {
      if (frames === backend.windowFrames.at(-1)) return longest;
      const seconds = (window.end - window.start) / SAMPLE_RATE;
      return Math.min(longest, SPARE_TOKENS + Math.ceil(TOKENS_PER_SECOND * seconds));
    }),
    isCancelled: (place) => jobs[place]!.owner.signal.aborted,
  });
}

/** To be asked when the language is known. */
function promptOf({ owner, previous }: Job, { tokens, backend }: Recogniser): number[] {
  const { language, task } = owner;
  return buildPrompt(tokens, { previous, language: language!.code, task }, backend);
}

/** Each transcription is charged its share of the time of a batch. */
async function timed<T>(step: Step, jobs: readonly Job[], work: () => Promise<T>): Promise<T> {
  const begun = performance.now();
  try {
    return await work();
  } finally {
    const share = (performance.now() - begun) / 1000 / jobs.length;
    for (const { owner } of jobs) owner.stopwatch.add(step, share);
  }
}
