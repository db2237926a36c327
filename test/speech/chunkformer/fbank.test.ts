import assert from 'node:assert/strict';
import test from 'node:test';
import { soundOf } from '../../../src/audio/sound.ts';
import { createFbank, frameCount } from '../../../src/speech/chunkformer/fbank.ts';
import { floats, readGolden } from './golden.ts';
import { signalSound } from './signal.ts';

test('features equal those of torchaudio to a thousandth', () => {
  const { fbank: golden } = readGolden();
  const sound = signalSound(golden.seconds, 1);
  assert.equal(frameCount(sound.length), golden.frames);
  const features = createFbank(80).features(sound, 0, golden.frames);
  const wanted = floats(golden.values);
  let largest = 0;
  let sum = 0;
  golden.picked.forEach((frame, row) => {
    for (let bin = 0; bin < 80; bin += 1) {
      const difference = Math.abs(features[frame * 80 + bin]! - wanted[row * 80 + bin]!);
      largest = Math.max(largest, difference);
      sum += difference;
    }
  });
  assert.ok(largest < 1.5e-3, `largest difference ${largest}`);
  assert.ok(sum / wanted.length < 2e-5, `mean difference ${sum / wanted.length}`);
});

test('features of a part are those of the whole', () => {
  const sound = signalSound(2, 3);
  const fbank = createFbank(80);
  const whole = fbank.features(sound, 0, 100);
  assert.deepEqual(fbank.features(sound, 40, 60), whole.slice(40 * 80, 60 * 80));
});

test('only whole windows are frames, and silence is finite', () => {
  assert.deepEqual([0, 399, 400, 559, 560].map(frameCount), [0, 0, 1, 1, 2]);
  const silence = createFbank(80).features(soundOf(new Float32Array(400)), 0, 1);
  assert.ok(silence.every((value) => Math.abs(value - Math.log(2 ** -23)) < 1e-5));
});
