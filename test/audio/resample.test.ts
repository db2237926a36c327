import assert from 'node:assert/strict';
import test from 'node:test';
import { Resampler } from '../../src/audio/resample.ts';
import { fitSine, type SineFit } from '../support/signal.ts';
import { sine } from '../support/wav.ts';

const EDGE = 2000;

function resample(samples: Float32Array, rate: number, blockLength = samples.length): Float32Array {
  const resampler = new Resampler(rate);
  const blocks: Float32Array[] = [];
  for (let start = 0; start < samples.length; start += blockLength) {
    blocks.push(resampler.push(samples.subarray(start, start + blockLength)));
  }
  blocks.push(resampler.flush());
  return Float32Array.from(blocks.flatMap((block) => [...block]));
}

function resampledSine(frequency: number, rate: number): SineFit {
  const output = resample(Float32Array.from(sine(frequency, rate, rate)), rate);
  return fitSine(output, { frequency, rate: 16_000, edge: EDGE });
}

for (const rate of [8_000, 11_025, 22_050, 32_000, 44_056, 44_100, 48_000, 96_000]) {
  test(`a tone keeps its level and gains no noise from ${rate} Hz`, () => {
    for (const frequency of [100, 1000, 3000]) {
      const fit = resampledSine(frequency, rate);
      assert.ok(fit.snrDb >= 80, `${frequency} Hz: ${fit.snrDb.toFixed(1)} dB`);
      assert.ok(Math.abs(fit.amplitude - 0.5) < 1e-4, `${frequency} Hz: ${fit.amplitude}`);
    }
  });
}

test('tones from 8 kHz up leave nothing that could fold back', () => {
  for (const frequency of [8050, 8500, 9500, 12_000, 15_900, 21_000]) {
    const { levelDb } = resampledSine(frequency, 44_100);
    assert.ok(levelDb <= -80, `${frequency} Hz: ${levelDb.toFixed(1)} dB`);
  }
});

test('from 8 kHz no mirror of the tone appears above 4 kHz', () => {
  const output = resample(Float32Array.from(sine(3000, 8000, 8000)), 8000);
  const mirror = fitSine(output, { frequency: 5000, rate: 16_000, edge: EDGE });
  assert.ok(mirror.amplitude < 0.5e-4, String(mirror.amplitude));
});

test('the output does not depend on how the input was cut, bit for bit', () => {
  const samples = Float32Array.from({ length: 10_000 }, () => Math.random() - 0.5);
  for (const rate of [8_000, 44_056, 44_100, 48_000]) {
    const whole = resample(samples, rate);
    for (const blockLength of [1, 7, 333, 4096]) {
      assert.deepEqual(resample(samples, rate, blockLength), whole, `${rate} Hz in blocks of ${blockLength}`);
    }
  }
});

test('n samples become exactly ceil(n * 16000 / rate)', () => {
  for (const rate of [4_000, 8_000, 11_025, 22_050, 44_056, 44_100, 48_000, 192_000]) {
    for (const count of [1, 2, 3, 100, 441, 4_411, 48_000]) {
      const output = resample(new Float32Array(count), rate);
      assert.equal(output.length, Math.ceil((count * 16_000) / rate), `${count} at ${rate} Hz`);
    }
  }
});

test('an impulse stays at its place in time', () => {
  const samples = new Float32Array(48_000);
  samples[24_000] = 1;
  const output = resample(samples, 48_000);
  assert.equal(output.indexOf(Math.max(...output)), 8000);
});

test('a constant stays the same constant', () => {
  const output = resample(new Float32Array(44_100).fill(0.25), 44_100);
  for (const value of output.subarray(EDGE, -EDGE)) assert.ok(Math.abs(value - 0.25) < 1e-7);
});

test('no samples become no samples', () => {
  assert.equal(resample(new Float32Array(), 44_100).length, 0);
});
