import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after, before } from 'node:test';
import type { Sound } from '../../../src/audio/sound.ts';
import { openChunkFormerCheckpoint } from '../../../src/speech/chunkformer/checkpoint.ts';
import { convertChunkFormer } from '../../../src/speech/chunkformer/convert.ts';
import { createCtcDecoder, type Utterance } from '../../../src/speech/chunkformer/ctc.ts';
import { encode } from '../../../src/speech/chunkformer/encode.ts';
import { type EncoderRuntime, openEncoderRuntime } from '../../../src/speech/chunkformer/encoder-runtime.ts';
import { createFbank } from '../../../src/speech/chunkformer/fbank.ts';
import type { ChunkSettings } from '../../../src/speech/chunkformer/settings.ts';
import { readVocabulary } from '../../../src/speech/chunkformer/vocabulary.ts';
import { createStopwatch } from '../../../src/speech/stopwatch.ts';
import { CHECKPOINT, floats, type GoldenSettings, readGolden } from './golden.ts';
import { signalSound } from './signal.ts';

const golden = readGolden();
let graphs: string;

before(async () => {
  graphs = mkdtempSync(join(tmpdir(), 'percept-chunkformer-'));
  await convertChunkFormer(CHECKPOINT, graphs);
});
after(() => rmSync(graphs, { recursive: true }));

function settingsOf(settings: GoldenSettings): ChunkSettings {
  return {
    chunkSize: settings.chunk_size,
    leftContextSize: settings.left_context_size,
    rightContextSize: settings.right_context_size,
    totalBatchDuration: settings.total_batch_duration,
  };
}

async function withRuntime<T>(
  settings: ChunkSettings,
  work: (runtime: EncoderRuntime) => Promise<T>,
): Promise<T> {
  const checkpoint = openChunkFormerCheckpoint(CHECKPOINT);
  checkpoint.close();
  const runtime = await openEncoderRuntime(graphs, { sizes: checkpoint.sizes, settings, threads: 1 });
  try {
    return await work(runtime);
  } finally {
    await runtime.close();
  }
}

interface Heard {
  readonly logProbs: readonly number[];
  readonly utterances: readonly Utterance[];
}

async function hear(sound: Sound, runtime: EncoderRuntime, mergesRepeats: boolean): Promise<Heard> {
  const fbank = createFbank(runtime.sizes.bins);
  const stopwatch = createStopwatch();
  const signal = new AbortController().signal;
  const decoder = createCtcDecoder({ mergesRepeats });
  const logProbs: number[] = [];
  const utterances: Utterance[] = [];
  for await (const rows of encode(sound, { runtime, fbank, stopwatch, signal })) {
    for (const value of await runtime.logProbs(rows)) logProbs.push(value);
    const best = await runtime.head(rows);
    utterances.push(...decoder.push(best.ids, best.logProbs));
  }
  utterances.push(...decoder.end());
  return { logProbs, utterances };
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
      const heard = await hear(signalSound(run.seconds, 1), runtime, true);
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
      const heard = await Promise.all(
        batch.seconds.map((seconds, index) => hear(signalSound(seconds, index + 1), runtime, false)),
      );
      const texts = heard.map(({ utterances }) => vocabulary.text(utterances.flatMap(({ ids }) => ids)));
      assert.deepEqual(texts, batch.texts);
    });
  }
});

test('recordings that are heard at the same time do not change one another', async () => {
  const settings = { chunkSize: 8, leftContextSize: 16, rightContextSize: 8, totalBatchDuration: 4 };
  await withRuntime(settings, async (runtime) => {
    const sounds = [signalSound(6, 1), signalSound(3, 2), signalSound(9, 3)];
    const alone = [];
    for (const sound of sounds) alone.push(await hear(sound, runtime, false));
    assert.deepEqual(await Promise.all(sounds.map((sound) => hear(sound, runtime, false))), alone);
  });
});

test('a sound too short for one frame has no rows', async () => {
  const settings = { chunkSize: 8, leftContextSize: 16, rightContextSize: 8, totalBatchDuration: 4 };
  await withRuntime(settings, async (runtime) => {
    assert.deepEqual(await hear(signalSound(0.16, 1), runtime, false), { logProbs: [], utterances: [] });
    assert.equal((await hear(signalSound(0.165, 1), runtime, false)).logProbs.length, golden.vocabulary);
  });
});

test('encoding stops when the caller has gone', async () => {
  const settings = { chunkSize: 8, leftContextSize: 16, rightContextSize: 8, totalBatchDuration: 4 };
  await withRuntime(settings, async (runtime) => {
    const controller = new AbortController();
    const context = {
      runtime,
      fbank: createFbank(80),
      stopwatch: createStopwatch(),
      signal: controller.signal,
    };
    const rows = encode(signalSound(9, 1), context);
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
