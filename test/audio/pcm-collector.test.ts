import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import test from 'node:test';
import { PcmCollector } from '../../src/audio/pcm-collector.ts';
import { samplesOf } from '../support/audio.ts';

/** The largest value of 16 bits. */
const LOUDEST = 32_767 / 32_768;

const limits = {
  signal: new AbortController().signal,
  maxDurationSeconds: 60,
  timeoutMs: 1000,
  memoryBytes: 2 ** 30,
  directory: tmpdir(),
};

test('samples arrive whole and in order, wherever the bytes are cut', () => {
  const samples = Float32Array.from({ length: 300_000 }, (_, index) => (index % 1000) / 1024);
  const bytes = new Uint8Array(samples.buffer);
  const collector = new PcmCollector(limits);
  for (let start = 0; start < bytes.length; start += 65_537)
    collector.add(bytes.subarray(start, start + 65_537));
  const pcm = collector.finish();
  assert.deepEqual(samplesOf(pcm), samples);
  assert.equal(pcm.durationSeconds, 18.75);
});

test('no sample leaves -1 to 1, and what is no number becomes silence', () => {
  const values = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1.5, -3e4, 0.5, -1];
  const samples = Float32Array.from({ length: 1600 }, (_, index) => values[index] ?? 0);
  const collector = new PcmCollector(limits);
  collector.add(new Uint8Array(samples.buffer));
  assert.deepEqual([...samplesOf(collector.finish()).subarray(0, 7)], [0, LOUDEST, -1, LOUDEST, -1, 0.5, -1]);
});

test('audio over the limit is refused as soon as it passes it', () => {
  const collector = new PcmCollector({ ...limits, maxDurationSeconds: 1 });
  collector.add(new Uint8Array(64_000));
  assert.throws(() => collector.add(new Uint8Array(4)), { code: 'audio_too_long', message: /limit is 1 s/ });
});

test('less than a tenth of a second is refused', () => {
  const collector = new PcmCollector(limits);
  collector.add(new Uint8Array(1599 * 4));
  assert.throws(() => collector.finish(), { code: 'audio_too_short' });
});
