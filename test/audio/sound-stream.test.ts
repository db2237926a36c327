import assert from 'node:assert/strict';
import test from 'node:test';
import { readSoundStream } from '../../src/audio/sound-stream.ts';
import { sine, type WavFields, wavBytes, wavFile } from '../support/wav.ts';

/** What is heard of bytes that come in pieces of `cut`. */
async function hear(bytes: Uint8Array, cut: number): Promise<{ samples: number[]; rates: Set<number> }> {
  async function* chunks() {
    for (let at = 0; at < bytes.length; at += cut) yield bytes.subarray(at, at + cut);
  }
  const samples: number[] = [];
  const rates = new Set<number>();
  for await (const block of readSoundStream(chunks(), { rawSampleRate: 8000 })) {
    samples.push(...block.samples);
    rates.add(block.sampleRate);
  }
  return { samples, rates };
}

const TONE = sine(100, 16_000, 500);

test('bytes without a header are raw samples at the stated rate', async () => {
  const bytes = Buffer.alloc(1000);
  for (let index = 0; index < 500; index += 1) bytes.writeInt16LE(index * 10, index * 2);
  for (const cut of [1, 7, 1000]) {
    const { samples, rates } = await hear(bytes, cut);
    assert.deepEqual(
      samples,
      Array.from({ length: 500 }, (_, index) => (index * 10) / 32_768),
    );
    assert.deepEqual([...rates], [8000]);
  }
});

test('a WAVE stream is read by its header, whatever its encoding, and however it is cut', async () => {
  const stereo = Array.from(TONE).flatMap((value) => [value, 0]);
  const layouts: [ArrayLike<number>, WavFields, number][] = [
    [TONE, { sampleRate: 16_000 }, 1],
    [TONE, { sampleRate: 44_100, encoding: 'f32' }, 1],
    [stereo, { sampleRate: 48_000, channels: 2, encoding: 's24', extensible: true }, 0.5],
  ];
  for (const [frames, fields, scale] of layouts) {
    for (const cut of [1, 13, 100_000]) {
      const { samples, rates } = await hear(wavFile(frames, fields), cut);
      assert.equal(samples.length, TONE.length);
      samples.forEach((sample, index) => {
        assert.ok(Math.abs(sample - TONE[index]! * scale) < 1e-4);
      });
      assert.deepEqual([...rates], [fields.sampleRate]);
    }
  }
});

test('a length that the writer could not know is that of the stream', async () => {
  for (const claimedDataBytes of [0, 0xffff_ffff]) {
    const bytes = wavFile(TONE, { sampleRate: 16_000, claimedDataBytes });
    assert.equal((await hear(bytes, 100)).samples.length, TONE.length);
  }
});

test('what follows the samples is not heard', async () => {
  const bytes = Buffer.concat([wavFile(TONE, { sampleRate: 16_000 }), Buffer.from('LIST of remarks')]);
  assert.equal((await hear(bytes, 100)).samples.length, TONE.length);
});

test('a stream that ends early has no samples, or those that came', async () => {
  const bytes = wavFile(TONE, { sampleRate: 16_000 });
  assert.deepEqual((await hear(bytes.subarray(0, 20), 7)).samples, []);
  assert.deepEqual((await hear(Buffer.alloc(3), 1)).samples, []);
  assert.equal((await hear(bytes.subarray(0, bytes.length - 101), 7)).samples.length, TONE.length - 51);
});

test('a WAVE stream of anything but plain samples is refused', async () => {
  const compressed = wavBytes(Buffer.alloc(100), { sampleRate: 16_000, tag: 0x55, bytesPerSample: 1 });
  await assert.rejects(hear(compressed, 100), { code: 'unsupported_audio' });
  const fast = wavFile(TONE, { sampleRate: 4_000_000 });
  await assert.rejects(hear(fast, 100), { code: 'unsupported_audio' });
});

test('a header without an end is refused', async () => {
  const head = Buffer.from('RIFF....WAVEjunk....');
  head.writeUInt32LE(0x7fff_ffff, 16);
  await assert.rejects(hear(Buffer.concat([head, Buffer.alloc(2 ** 21)]), 2 ** 16), {
    code: 'unsupported_audio',
  });
});
