import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { createFft } from '../../../src/audio/fft.ts';
import { createMelFrontEnd } from '../../../src/speech/whisper/mel.ts';

/** Made by test-models/golden-mel.py with faster-whisper's front end: [bin, frame, value]. */
const golden = JSON.parse(readFileSync('test/fixtures/mel.json', 'utf8')) as Record<
  string,
  [number, number, number][]
>;

/** The signal of golden-mel.py: a rising tone and a steady one. */
function signal(): Float32Array {
  return Float32Array.from({ length: 48_000 }, (_, n) => {
    const rising = Math.sin((2 * Math.PI * (200 + n / 20) * n) / 16_000);
    return 0.5 * rising + 0.1 * Math.sin((2 * Math.PI * 5000 * n) / 16_000);
  });
}

for (const bins of [80, 128]) {
  test(`log-mel features with ${bins} bins equal the reference to 1e-4`, () => {
    const frames = 3000;
    const mel = createMelFrontEnd(bins).features(signal(), frames);
    for (const [bin, frame, value] of golden[bins]!) {
      const difference = Math.abs(mel[bin * frames + frame]! - value);
      assert.ok(difference < 1e-4, `bin ${bin}, frame ${frame}: differs by ${difference}`);
    }
  });
}

test('features of one frame more or less agree where both have frames', () => {
  const frontEnd = createMelFrontEnd(80);
  const even = frontEnd.features(signal(), 400);
  const odd = frontEnd.features(signal(), 401);
  for (let bin = 0; bin < 80; bin += 1) {
    for (let frame = 0; frame < 400; frame += 1)
      assert.equal(even[bin * 400 + frame], odd[bin * 401 + frame]);
  }
});

test('the transform of 400 points equals the sum that defines it', () => {
  const length = 400;
  const real = Float64Array.from({ length }, (_, n) => Math.sin(n * n * 0.01) + (n % 7));
  const imaginary = Float64Array.from({ length }, (_, n) => Math.cos(n * 0.3));
  const [wantedReal, wantedImaginary] = naiveTransform(real, imaginary);
  createFft(length).transform(real, imaginary);
  for (let k = 0; k < length; k += 1) {
    assert.ok(Math.abs(real[k]! - wantedReal[k]!) < 1e-9);
    assert.ok(Math.abs(imaginary[k]! - wantedImaginary[k]!) < 1e-9);
  }
});

test('a length with other factors than 4 and 5 is refused', () => {
  assert.throws(() => createFft(28), /factors 4 and 5/);
});

function naiveTransform(real: Float64Array, imaginary: Float64Array): [Float64Array, Float64Array] {
  const length = real.length;
  const outReal = new Float64Array(length);
  const outImaginary = new Float64Array(length);
  for (let k = 0; k < length; k += 1) {
    for (let n = 0; n < length; n += 1) {
      const angle = (-2 * Math.PI * k * n) / length;
      outReal[k]! += real[n]! * Math.cos(angle) - imaginary[n]! * Math.sin(angle);
      outImaginary[k]! += real[n]! * Math.sin(angle) + imaginary[n]! * Math.cos(angle);
    }
  }
  return [outReal, outImaginary];
}
