import assert from 'node:assert/strict';
import test from 'node:test';
import { openPcmStream, writePcm } from '../../src/audio/pcm-stream.ts';
import { fitSine } from '../support/signal.ts';
import { sine } from '../support/wav.ts';

function hear(bytes: Uint8Array, sampleRate: number, cut: number): Float32Array {
  const stream = openPcmStream(sampleRate);
  const parts: Float32Array[] = [];
  for (let at = 0; at < bytes.length; at += cut) parts.push(stream.push(bytes.subarray(at, at + cut)));
  parts.push(stream.flush());
  return Float32Array.from(parts.flatMap((part) => [...part]));
}

test('16 kHz sound comes out as it went in, however it is cut', () => {
  const samples = Float32Array.of(0, 0.5, -0.5, 32767 / 32768, -1, 0.25);
  const bytes = writePcm(samples);
  for (const cut of [1, 2, 3, 5, 12]) assert.deepEqual(hear(bytes, 16_000, cut), samples);
});

test('24 kHz sound is resampled, and the result does not depend on the cuts', () => {
  const bytes = writePcm(Float32Array.from(sine(440, 24_000, 24_000)));
  const whole = hear(bytes, 24_000, bytes.length);
  assert.equal(whole.length, 16_000);
  assert.ok(fitSine(whole, { frequency: 440, rate: 16_000, edge: 400 }).snrDb > 80);
  assert.deepEqual(hear(bytes, 24_000, 4801), whole);
});

test('samples beyond full scale are cut, not wrapped', () => {
  assert.deepEqual(hear(writePcm(Float32Array.of(2, -2)), 16_000, 4), Float32Array.of(32767 / 32768, -1));
});
