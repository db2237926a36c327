import assert from 'node:assert/strict';
import test from 'node:test';
import type { Sound } from '../../../src/audio/sound.ts';
import { type Batcher, createBatcher } from '../../../src/speech/chunkformer/batcher.ts';
import { encode } from '../../../src/speech/chunkformer/encode.ts';
import type { GraphCall } from '../../../src/speech/chunkformer/encoder.ts';
import type { EncoderRuntime } from '../../../src/speech/chunkformer/encoder-runtime.ts';
import { createFbank } from '../../../src/speech/chunkformer/fbank.ts';
import { createStopwatch } from '../../../src/speech/stopwatch.ts';
import { signalSound } from './signal.ts';
import { useSmallModel } from './small-model.ts';

const withRuntime = useSmallModel();
const SETTINGS = { chunkSize: 8, leftContextSize: 16, rightContextSize: 8, totalBatchDuration: 14_400 };
/** From less than a chunk to several batches, with remainders. */
const SECONDS = [3.1, 0.9, 12.3, 0.3, 41, 5.2, 26, 7.7];
const SOUNDS = SECONDS.map((seconds, index) => signalSound(seconds, index + 1));

interface Heard {
  readonly ids: readonly number[];
  readonly logProbs: readonly number[];
}

async function hear(
  sound: Sound,
  batcher: Batcher,
  signal: AbortSignal = new AbortController().signal,
): Promise<Heard> {
  const stopwatch = createStopwatch();
  const encoder = batcher.join({ stopwatch, signal });
  const heard: { ids: number[]; logProbs: number[] } = { ids: [], logProbs: [] };
  for await (const rows of encode(sound, { encoder, fbank: createFbank(80), stopwatch })) {
    const best = await encoder.head(rows);
    heard.ids.push(...Array.from(best.ids, Number));
    heard.logProbs.push(...best.logProbs);
  }
  return heard;
}

async function hearAlone(sounds: readonly Sound[], runtime: EncoderRuntime): Promise<Heard[]> {
  const heard: Heard[] = [];
  for (const sound of sounds) heard.push(await hear(sound, createBatcher(runtime)));
  return heard;
}

/** The runtime, which shows its calls before it makes them. */
function watched(runtime: EncoderRuntime, onCall: (call: GraphCall) => void): EncoderRuntime {
  return {
    ...runtime,
    async run(call) {
      onCall(call);
      await runtime.run(call);
    },
  };
}

test('recordings of any lengths heard together have the very numbers of each alone, in fewer calls', async () => {
  await withRuntime(SETTINGS, async (runtime) => {
    let calls = 0;
    const counted = watched(runtime, ({ graph }) => {
      if (graph !== 'embed') calls += 1;
    });
    const alone = await hearAlone(SOUNDS, counted);
    const callsAlone = calls;
    calls = 0;
    const batcher = createBatcher(counted);
    assert.deepEqual(await Promise.all(SOUNDS.map((sound) => hear(sound, batcher))), alone);
    assert.ok(calls < 0.6 * callsAlone, `${calls} calls together, ${callsAlone} alone`);
  });
});

test('recordings of one length need no more calls than one of them', async () => {
  await withRuntime(SETTINGS, async (runtime) => {
    let calls = 0;
    const counted = watched(runtime, ({ graph }) => {
      if (graph !== 'embed') calls += 1;
    });
    await hear(SOUNDS[0]!, createBatcher(counted));
    const callsOfOne = calls;
    calls = 0;
    const batcher = createBatcher(counted);
    await Promise.all([1, 2, 3, 4].map((seed) => hear(signalSound(SECONDS[0]!, seed), batcher)));
    assert.equal(calls, callsOfOne);
  });
});

test('one that comes late goes on with those who were there', async () => {
  await withRuntime(SETTINGS, async (runtime) => {
    const alone = await hearAlone(SOUNDS.slice(0, 2), runtime);
    let late: Promise<Heard> | undefined;
    let joint = 0;
    const batcher = createBatcher(
      watched(runtime, ({ graph, layer, frames }) => {
        if (graph === 'attend' && layer === 1) late ??= hear(SOUNDS[1]!, batcher);
        // 40 and 16 frames.
        if (frames === 56) joint += 1;
      }),
    );
    assert.deepEqual([await hear(SOUNDS[0]!, batcher), await late], alone);
    // The rest of the second block and all of the third.
    assert.equal(joint, 4);
  });
});

test('a batch holds at most total_batch_duration, halved, and never more than 512 frames', async () => {
  for (const [totalBatchDuration, most] of [
    [14_400, 512],
    // 150 frames are 18 chunks.
    [24, 144],
  ] as const) {
    await withRuntime({ ...SETTINGS, totalBatchDuration }, async (runtime) => {
      let largest = 0;
      const batcher = createBatcher(
        watched(runtime, ({ frames }) => {
          largest = Math.max(largest, frames);
        }),
      );
      // 62 frames each, in 8 chunks.
      await Promise.all(Array.from({ length: 12 }, (_, seed) => hear(signalSound(5, seed), batcher)));
      assert.equal(largest, most - (most % 64));
    });
  }
});

test('a recording that is cancelled leaves the batch, and the others keep their numbers', async () => {
  await withRuntime(SETTINGS, async (runtime) => {
    const alone = await hearAlone(SOUNDS, runtime);
    const controller = new AbortController();
    let calls = 0;
    const batcher = createBatcher(
      watched(runtime, () => {
        calls += 1;
        if (calls === 40) controller.abort();
      }),
    );
    const cancelled = assert.rejects(hear(signalSound(30, 9), batcher, controller.signal), {
      code: 'cancelled',
    });
    assert.deepEqual(await Promise.all(SOUNDS.map((sound) => hear(sound, batcher))), alone);
    await cancelled;
  });
});

test('an error of one recording, in its sound or in a call with its rows, hurts no other', async () => {
  await withRuntime(SETTINGS, async (runtime) => {
    const alone = await hearAlone(SOUNDS, runtime);
    const batcher = createBatcher(
      watched(runtime, ({ graph, inputs }) => {
        if (graph === 'attend' && inputs['stream']!.some((value) => Number.isNaN(Number(value))))
          throw new Error('not a number');
      }),
    );
    const sound = signalSound(6, 1);
    const unreadable = { ...sound, read: () => assert.fail('the disk is gone') };
    const broken = {
      ...sound,
      read: (start: number, end: number) => sound.read(start, end).fill(Number.NaN),
    };
    const failed = Promise.all([
      assert.rejects(hear(unreadable, batcher), { message: 'the disk is gone' }),
      assert.rejects(hear(broken, batcher), { message: 'not a number' }),
    ]);
    assert.deepEqual(await Promise.all(SOUNDS.map((one) => hear(one, batcher))), alone);
    await failed;
  });
});

test('a short recording does not wait for long ones, whenever it comes', async () => {
  await withRuntime(SETTINGS, async (runtime) => {
    const callsOf = async (work: (batcher: Batcher) => Promise<unknown>) => {
      let calls = 0;
      await work(
        createBatcher(
          watched(runtime, () => {
            calls += 1;
          }),
        ),
      );
      return calls;
    };
    const callsOfShort = await callsOf((batcher) => hear(SOUNDS[0]!, batcher));
    for (const from of [1, 30, 70, 120]) {
      let calls = 0;
      let short: Promise<number> | undefined;
      const batcher = createBatcher(
        watched(runtime, () => {
          calls += 1;
          if (calls === from) short = hear(SOUNDS[0]!, batcher).then(() => calls - from);
        }),
      );
      await Promise.all([20, 21].map((seed) => hear(signalSound(90, seed), batcher)));
      const waited = await short!;
      assert.ok(
        waited < 6 * callsOfShort,
        `after call ${from}: ${waited} calls for ${callsOfShort}; ${calls} in all`,
      );
    }
  });
});
