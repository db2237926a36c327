import assert from 'node:assert/strict';
import test from 'node:test';
import type { Sound } from '../../../src/audio/sound.ts';
import { type Batcher, createBatcher } from '../../../src/speech/chunkformer/batcher.ts';
import { createCtcDecoder, type Utterance } from '../../../src/speech/chunkformer/ctc.ts';
import { encode } from '../../../src/speech/chunkformer/encode.ts';
import type { EncoderRuntime } from '../../../src/speech/chunkformer/encoder-runtime.ts';
import { createFbank } from '../../../src/speech/chunkformer/fbank.ts';
import type { ChunkSettings } from '../../../src/speech/chunkformer/settings.ts';
import { readVocabulary } from '../../../src/speech/chunkformer/vocabulary.ts';
import { createStopwatch } from '../../../src/speech/stopwatch.ts';
import { CHECKPOINT, floats, type GoldenSettings, readGolden } from './golden.ts';
import { signalSound } from './signal.ts';
import { useSmallModel } from './small-model.ts';

const golden = readGolden();
const withRuntime = useSmallModel();

function settingsOf(settings: GoldenSettings): ChunkSettings {
  return {
    chunkSize: settings.chunk_size,
    leftContextSize: settings.left_context_size,
    rightContextSize: settings.right_context_size,
    totalBatchDuration: settings.total_batch_duration,
  };
}

interface Heard {
  readonly logProbs: readonly number[];
  readonly utterances: readonly Utterance[];
}

interface Model {
  readonly runtime: EncoderRuntime;
  readonly batcher: Batcher;
  readonly mergesRepeats: boolean;
}

async function hear(sound: Sound, { runtime, batcher, mergesRepeats }: Model): Promise<Heard> {
  const fbank = createFbank(runtime.sizes.bins);
  const stopwatch = createStopwatch();
  const encoder = batcher.join({ stopwatch, signal: new AbortController().signal });
  const decoder = createCtcDecoder({ mergesRepeats });
  const logProbs: number[] = [];
  const utterances: Utterance[] = [];
  for await (const rows of encode(sound, { encoder, fbank, stopwatch })) {
    for (const value of await runtime.logProbs(rows)) logProbs.push(value);
    const best = await encoder.head(rows);
    utterances.push(...decoder.push(best.ids, best.logProbs));
  }
  utterances.push(...decoder.end());
  return { logProbs, utterances };
}

function modelOf(runtime: EncoderRuntime, mergesRepeats: boolean): Model {
  return { runtime, batcher: createBatcher(runtime), mergesRepeats };
}

/** As the Python package writes times. */
function clock(frame: number): string {
  const milliseconds = frame * 80;
  const part = (value: number, width: number) => String(Math.floor(value)).padStart(width, '0');
  return `${part(milliseconds / 3_600_000, 2)}:${part((milliseconds / 60_000) % 60, 2)}:${part((milliseconds / 1000) % 60, 2)}:${part(milliseconds % 1000, 3)}`;
}

for (const run of golden.runs) {
  test(`log probabilities, texts and times are those of the Python package: ${run.name}`, async () => {
    await withRuntime(settingsOf(run.settings), async (runtime) => {
      const heard = await hear(signalSound(run.seconds, 1), modelOf(runtime, true));
      const wanted = floats(run.logProbs);
      assert.equal(heard.logProbs.length, wanted.length);
      const differences = heard.logProbs.map((value, index) => Math.abs(value - wanted[index]!));
      const largest = differences.reduce((most, one) => Math.max(most, one), 0);
      assert.ok(largest < 1e-4, `largest difference ${largest}`);
      const vocabulary = readVocabulary(`${CHECKPOINT}vocab.txt`, golden.vocabulary);
      const items = heard.utterances.map(({ startFrame, endFrame, ids }) => ({
        decode: vocabulary.text(ids),
        start: clock(startFrame),
        end: clock(endFrame),
      }));
      assert.ok(items.length > 0);
      assert.deepEqual(items, run.items);
    });
  });
}

test('a batch of the Python package has the texts that each recording has alone', async () => {
  for (const batch of golden.batches) {
    await withRuntime(settingsOf(batch.settings), async (runtime) => {
      const vocabulary = readVocabulary(`${CHECKPOINT}vocab.txt`, golden.vocabulary);
      const model = modelOf(runtime, false);
      const heard = await Promise.all(
        batch.seconds.map((seconds, index) => hear(signalSound(seconds, index + 1), model)),
      );
      const texts = heard.map(({ utterances }) => vocabulary.text(utterances.flatMap(({ ids }) => ids)));
      assert.deepEqual(texts, batch.texts);
    });
  }
});

test('a sound too short for one frame has no rows', async () => {
  const settings = { chunkSize: 8, leftContextSize: 16, rightContextSize: 8, totalBatchDuration: 4 };
  await withRuntime(settings, async (runtime) => {
    const model = modelOf(runtime, false);
    assert.deepEqual(await hear(signalSound(0.16, 1), model), { logProbs: [], utterances: [] });
    assert.equal((await hear(signalSound(0.165, 1), model)).logProbs.length, golden.vocabulary);
  });
});

test('encoding stops when the caller has gone', async () => {
  const settings = { chunkSize: 8, leftContextSize: 16, rightContextSize: 8, totalBatchDuration: 4 };
  await withRuntime(settings, async (runtime) => {
    const controller = new AbortController();
    const stopwatch = createStopwatch();
    const encoder = createBatcher(runtime).join({ stopwatch, signal: controller.signal });
    const rows = encode(signalSound(9, 1), { encoder, fbank: createFbank(80), stopwatch });
    await rows.next();
    controller.abort();
    await assert.rejects(
      async () => {
        for await (const _ of rows);
      },
      { code: 'cancelled' },
    );
  });
});
