import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { devNull } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { type App, createApp } from '../../../src/app.ts';
import { silentLogger } from '../../../src/base/logger.ts';
import { readEnvironment } from '../../../src/config/environment.ts';
import { loadConfig } from '../../../src/config/load.ts';
import type { Flags } from '../../../src/config/sources.ts';
import type { TranscribeEvent } from '../../../src/speech/transcript.ts';
import { temporaryFolder } from '../../support/temporary.ts';
import { wavBytes } from '../../support/wav.ts';
import { CHECKPOINT, readGolden } from './golden.ts';
import { signal } from './signal.ts';

const golden = readGolden();
const context = { signal: new AbortController().signal };

/** An application over an empty home with the small checkpoint as `my-vie`. */
async function withSmallModel(t: TestContext, flags: Flags = {}): Promise<App> {
  const { PATH } = readEnvironment();
  const env = { PATH };
  const home = await temporaryFolder(t);
  const { config } = loadConfig({ env, flags: { home, offline: true, ...flags }, configFile: devNull });
  const app = createApp({ config, env, logger: silentLogger });
  t.after(() => app.close({ timeoutMs: 0 }));
  await app.store.import('my-vie', CHECKPOINT);
  return app;
}

async function recording(t: TestContext, seconds: number, seed: number): Promise<string> {
  const path = join(await temporaryFolder(t), `${seed}.wav`);
  const data = Buffer.from(signal(seconds, seed).buffer);
  await writeFile(path, wavBytes(data, { sampleRate: 16_000, tag: 1, bytesPerSample: 2 }));
  return path;
}

test('an imported ChunkFormer directory transcribes with the texts and times of the Python package', async (t) => {
  const run = golden.runs.find(({ name }) => name === 'seven segments')!;
  const { settings } = run;
  const app = await withSmallModel(t, {
    'chunkformer.chunk_size': settings.chunk_size,
    'chunkformer.left_context_size': settings.left_context_size,
    'chunkformer.right_context_size': settings.right_context_size,
    'chunkformer.total_batch_duration': settings.total_batch_duration,
    'chunkformer.merge_repeats': true,
  });
  const path = await recording(t, run.seconds, 1);
  const events: TranscribeEvent[] = [];
  const onEvent = (event: TranscribeEvent) => events.push(event);
  const request = { model: 'my-vie', task: 'transcribe', language: 'vi', temperature: 0 } as const;
  const transcript = await app.speech.transcribe(path, request, { ...context, onEvent });

  assert.equal(transcript.model, 'my-vie-float32');
  assert.equal(transcript.language, 'vi');
  assert.equal(transcript.durationSeconds, run.seconds);
  const inSeconds = (clock: string) => {
    const [hours = 0, minutes = 0, whole = 0, milliseconds = 0] = clock.split(':').map(Number);
    return (hours * 3_600_000 + minutes * 60_000 + whole * 1000 + milliseconds) / 1000;
  };
  const wanted = run.items.map(({ decode, start, end }) => [` ${decode}`, inSeconds(start), inSeconds(end)]);
  assert.deepEqual(
    transcript.segments.map(({ text, startSeconds, endSeconds }) => [text, startSeconds, endSeconds]),
    wanted,
  );
  assert.equal(transcript.text, run.items.map(({ decode }) => decode).join(' '));
  assert.ok(transcript.segments.every(({ avgLogprob }) => avgLogprob <= 0 && avgLogprob > -5));
  assert.deepEqual(
    events.flatMap((event) => (event.type === 'segment' ? [event.segment] : [])),
    transcript.segments,
  );
  const progress = events.flatMap((event) => (event.type === 'progress' ? [event.doneSeconds] : []));
  assert.deepEqual(
    progress,
    [...progress].sort((a, b) => a - b),
  );
});

test('several requests at once have the texts of each alone, and an abort ends only its own', async (t) => {
  const app = await withSmallModel(t);
  const paths = await Promise.all(
    [3, 6, 2, 9, 4, 5].map((seconds, index) => recording(t, seconds, index + 1)),
  );
  const request = { model: 'my-vie', task: 'transcribe' } as const;
  const controller = new AbortController();
  const texts = Promise.all(paths.map((path) => app.speech.transcribe(path, request, context)));
  const aborted = assert.rejects(app.speech.transcribe(paths[3]!, request, { signal: controller.signal }), {
    code: 'cancelled',
  });
  controller.abort();
  await aborted;
  for (const [index, transcript] of (await texts).entries()) {
    const alone = await app.speech.transcribe(paths[index]!, request, context);
    assert.equal(transcript.text, alone.text);
    assert.deepEqual(transcript.segments, alone.segments);
  }
});

test('what the model has no meaning for is refused by name, before and at its work', async (t) => {
  const app = await withSmallModel(t);
  const cases = [
    [{ beamSize: 5 }, { code: 'unsupported_parameter', param: 'beam_size' }],
    [{ prompt: 'Hà Nội' }, { code: 'unsupported_parameter', param: 'prompt' }],
    [{ wordTimestamps: true }, { code: 'unsupported_parameter', param: 'timestamp_granularities' }],
    [{ vad: { enabled: true } }, { code: 'unsupported_parameter', param: 'chunking_strategy' }],
    [{ task: 'translate' }, { code: 'invalid_request', param: 'model' }],
    [{ language: 'klingon' }, { code: 'invalid_request', param: 'language' }],
    [{ model: 'my-vie-int8' }, { code: 'model_not_found', message: /my-vie-float32/ }],
  ] as const;
  for (const [asked, error] of cases) {
    const request = { model: 'my-vie', task: 'transcribe', ...asked } as const;
    await assert.rejects(app.speech.check(request), error);
    await assert.rejects(app.speech.transcribe('/nowhere.wav', request, context), error);
  }
  await assert.rejects(app.speech.check({ model: 'my-vie', isLive: true }), {
    code: 'invalid_request',
    param: 'model',
    message: /does not listen live/,
  });
  await app.speech.check({ model: 'my-vie', wordTimestamps: false, temperature: 0.4, prompt: ' ' });
});

test('a ChunkFormer model is listed with what it can do', async (t) => {
  const app = await withSmallModel(t);
  const [model] = await app.speech.models();
  assert.equal(model?.name, 'my-vie-float32');
  assert.equal(model.backend, 'chunkformer');
  assert.deepEqual(model.capabilities, ['transcribe']);
});
