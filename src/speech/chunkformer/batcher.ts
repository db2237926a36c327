/**
 * One model's graph calls, whichever recording they are for: those of one step of one block are made as one. Recordings take turns: who is not as far as
 * the others goes first, until they are abreast and go on together, but nobody gets much more than its share. A recording's numbers never
 * depend on the others.
 */
import { abortError } from '../../base/abort.ts';
import { createFairQueue, type Queued } from '../fair-queue.ts';
import type { Stopwatch } from '../stopwatch.ts';
import { MOST_FRAMES_AT_ONCE } from './encode.ts';
import { type Encoder, encoderOf, type GraphCall } from './encoder.ts';
import type { EncoderRuntime } from './encoder-runtime.ts';
import { createJoiner } from './joint-call.ts';
import { partFrames } from './settings.ts';

/** One recording, as the batcher sees it. */
export interface Listener {
  readonly stopwatch: Stopwatch;
  readonly signal: AbortSignal;
}

export interface Batcher {
  /** The encoder for one recording, which asks for one call at a time. Calls reject with `model_failed`, and with the signal's error once it has fired. */
  join(listener: Listener): Encoder;
}

interface Job extends Queued {
  readonly owner: Listener;
  readonly call: GraphCall;
  resolve(): void;
  reject(error: unknown): void;
}

/** 41 s of sound. Up to here matrix products gain with two threads, with one up to half of it (docs/benchmarks.md). */
const MOST_FRAMES = 512;

export function createBatcher(runtime: Pick<EncoderRuntime, 'sizes' | 'settings' | 'run'>): Batcher {
  const { sizes, settings } = runtime;
  const mostFrames = Math.min(MOST_FRAMES, partFrames(settings));
  const queue = createFairQueue<Job>({
    stageOf: ({ call }) => stageOf(call),
    // What brings one recording abreast with another that is nearly through.
    lead: 3 * sizes.layers * MOST_FRAMES_AT_ONCE,
  });
  const joinCalls = createJoiner();
  let isRunning = false;

  function mayJoin({ call }: Job, taken: readonly [Job, ...Job[]]): boolean {
    // Convolutions over features take as long for each however many there are.
    if (call.graph === 'embed' || stageOf(call) !== stageOf(taken[0].call)) return false;
    return framesIn(taken) + call.frames <= mostFrames;
  }

  /** Those whose turn it is; none when nobody waits. */
  function takeNext(): Job[] {
    while (queue.length > 0) {
      const taken = queue.take(mayJoin);
      const jobs = taken.filter(({ owner }) => !owner.signal.aborted);
      for (const job of taken) if (job.owner.signal.aborted) job.reject(abortError(job.owner.signal));
      if (jobs.length > 0) return jobs;
    }
    return [];
  }

  async function work(): Promise<void> {
    for (let jobs = takeNext(); jobs.length > 0; jobs = takeNext()) {
      await answer(jobs);
      // The runtime keeps the thread busy: messages come between, and those who have their rows say what they want next.
      await new Promise(setImmediate);
    }
    isRunning = false;
  }

  async function answer(jobs: readonly Job[]): Promise<void> {
    try {
      await timed(jobs, () => runTogether(jobs.map(({ call }) => call)));
      for (const job of jobs) job.resolve();
    } catch (error) {
      if (jobs.length === 1) jobs[0]!.reject(error);
      // Whose call it was that failed shows when each is alone.
      else for (const job of jobs) await answer([job]);
    }
  }

  async function runTogether(calls: readonly GraphCall[]): Promise<void> {
    if (calls.length === 1) return runtime.run(calls[0]!);
    const joint = joinCalls(calls);
    await runtime.run(joint.call);
    joint.spread();
  }

  return {
    join: (owner) =>
      encoderOf(
        runtime,
        (call) =>
          new Promise((resolve, reject) => {
            queue.add({ owner, call, cost: call.frames, resolve, reject });
            if (isRunning) return;
            isRunning = true;
            setImmediate(() => void work());
          }),
      ),
  };
}

const EDGE_STAGES = { head: -2, embed: -1 } as const;
const BLOCK_GRAPHS: readonly GraphCall['graph'][] = ['project', 'attend', 'finish'];

/** How far in the encoder; equal for calls that can be made as one. The head's goes first: somebody waits for its text. */
function stageOf({ graph, layer }: GraphCall): number {
  return graph === 'head' || graph === 'embed' ? EDGE_STAGES[graph] : 3 * layer + BLOCK_GRAPHS.indexOf(graph);
}

function framesIn(jobs: readonly Job[]): number {
  return jobs.reduce((sum, { call }) => sum + call.frames, 0);
}

/** Each recording is charged its share of the time. */
async function timed(jobs: readonly Job[], work: () => Promise<void>): Promise<void> {
  const begun = performance.now();
  try {
    await work();
  } finally {
    const seconds = (performance.now() - begun) / 1000 / framesIn(jobs);
    for (const { owner, call } of jobs)
      owner.stopwatch.add(call.graph === 'head' ? 'decoder' : 'encoder', seconds * call.frames);
  }
}
