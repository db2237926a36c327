/** Our graph of the voice activity model gives what the published one gives. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import test from 'node:test';
import { type OnnxTensor, openOnnxSession } from '../src/backends/onnx.ts';
import { openSilero, VAD_FRAME_SAMPLES } from '../src/speech/silero.ts';
import { VOICE_ACTIVITY_FILE } from '../src/store/catalogue.ts';
import { openApp } from './support/home.ts';
import { joined, samplesOf } from './support/recordings.ts';
import { librivox, missingWeights } from './support/weights.ts';

const skip = await missingWeights('whisper-tiny.en-int8');

test('probabilities of speech are those of the published model', { skip }, async () => {
  const app = openApp();
  const { directory } = await app.store.require('silero-vad');
  await app.close({ timeoutMs: 0 });
  const path = join(directory, VOICE_ACTIVITY_FILE);
  const recordings = await librivox();
  const { samples } = joined(await Promise.all(recordings.map(({ path }) => samplesOf(path))), 1.3);

  const detector = await openSilero(path);
  const listener = detector.listen();
  const half = Math.floor(samples.length / 2);
  const ours = [
    ...(await listener.push(samples.subarray(0, half))),
    ...(await listener.finish(samples.subarray(half))),
  ];
  await detector.close();

  const theirs = await published(path, samples);
  assert.equal(ours.length, theirs.length);
  const difference = Math.max(...ours.map((number, frame) => Math.abs(number - theirs[frame]!)));
  assert.ok(difference < 1e-4, `probabilities differ by ${difference}`);
  assert.ok(
    Math.max(...theirs) > 0.9 && Math.min(...theirs) < 0.1,
    'there is speech and silence to tell apart',
  );
});

/** Frame by frame, as snakers4/silero-vad feeds its model: 64 samples of context before each 512. */
async function published(path: string, samples: Float32Array): Promise<number[]> {
  const session = await openOnnxSession(path, { threads: 1 });
  const zeros = { data: new Float32Array(128), dims: [1, 1, 128] };
  let state: Record<'h' | 'c', OnnxTensor> = { h: zeros, c: zeros };
  const probabilities: number[] = [];
  for (let start = 0; start < samples.length; start += VAD_FRAME_SAMPLES) {
    const data = new Float32Array(64 + VAD_FRAME_SAMPLES);
    const from = Math.max(0, start - 64);
    data.set(samples.subarray(from, start + VAD_FRAME_SAMPLES), 64 - (start - from));
    const input = { data, dims: [1, data.length] };
    const answer = await session.run({ input, ...state }, ['speech_probs', 'hn', 'cn']);
    state = { h: answer['hn']!, c: answer['cn']! };
    probabilities.push((answer['speech_probs']!.data as Float32Array)[0]!);
  }
  await session.close();
  return probabilities;
}
