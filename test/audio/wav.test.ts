import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { decodeAudio } from '../../src/audio/decode.ts';
import type { Pcm } from '../../src/audio/pcm.ts';
import { decodeOptions, samplesOf } from '../support/audio.ts';
import { childProcessIds } from '../support/processes.ts';
import { fitSine } from '../support/signal.ts';
import { temporaryFile } from '../support/temporary.ts';
import { sine, wavBytes, wavFile } from '../support/wav.ts';

const TONE = sine(440, 16_000, 16_000);

async function decode(context: TestContext, content: Buffer): Promise<Pcm> {
  return decodeAudio(await temporaryFile(context, 'recording.wav', content), decodeOptions());
}

/** A sample differs by at most one step of the encoding. */
function assertClose(actual: Float32Array, expected: ArrayLike<number>, step: number): void {
  assert.equal(actual.length, expected.length);
  for (let index = 0; index < actual.length; index += 1) {
    const difference = Math.abs(actual[index]! - expected[index]!);
    assert.ok(difference <= step, `sample ${index}: ${actual[index]}, expected ${expected[index]}`);
  }
}

for (const [encoding, step] of [
  ['u8', 2 / 127],
  ['s16', 2 / 32_767],
  // The rest is rounded to 16 bits.
  ['s24', 2 / 65_535],
  ['s32', 2 / 65_535],
  ['f32', 2 / 65_535],
  ['f64', 2 / 65_535],
] as const) {
  test(`${encoding} samples are read with their values`, async (context) => {
    const pcm = await decode(context, wavFile(TONE, { sampleRate: 16_000, encoding }));
    assertClose(samplesOf(pcm), TONE, step);
    assert.equal(pcm.durationSeconds, 1);
  });
}

test('A-law and mu-law are expanded as the standard says', async (context) => {
  // Codes and values of ITU-T G.711: smallest, largest and one between, both signs.
  const tables = [
    { tag: 6, codes: [0xd5, 0x55, 0xaa, 0x2a, 0xf5], values: [8, -8, 32_256, -32_256, 528] },
    { tag: 7, codes: [0xff, 0x7f, 0x80, 0x00, 0xef], values: [0, 0, 32_124, -32_124, 132] },
  ];
  for (const { tag, codes, values } of tables) {
    const data = Buffer.alloc(1600, Buffer.from(codes));
    const pcm = await decode(context, wavBytes(data, { sampleRate: 16_000, tag, bytesPerSample: 1 }));
    assertClose(
      samplesOf(pcm).subarray(0, 5),
      values.map((value) => value / 32_768),
      0,
    );
  }
});

test('channels are averaged, silent ones too', async (context) => {
  const frames = Float64Array.from({ length: TONE.length * 2 }, (_, index) =>
    index % 2 ? 0 : TONE[index / 2]!,
  );
  const pcm = await decode(context, wavFile(frames, { sampleRate: 16_000, channels: 2 }));
  assertClose(
    samplesOf(pcm),
    TONE.map((value) => value / 2),
    1 / 32_767,
  );
});

test('an extensible header is read as the format it stands for', async (context) => {
  const pcm = await decode(context, wavFile(TONE, { sampleRate: 16_000, encoding: 's24', extensible: true }));
  assertClose(samplesOf(pcm), TONE, 2 / 65_535);
});

test('the length of an RF64 file comes from its 64-bit chunk', async (context) => {
  const content = Buffer.concat([
    wavFile(TONE, { sampleRate: 16_000, magic: 'RF64' }),
    Buffer.from('more chunks'),
  ]);
  assert.equal((await decode(context, content)).sound.length, TONE.length);
});

for (const claimedDataBytes of [0, 0xffff_ffff, 10 * 3600 * 32_000]) {
  test(`a header that claims ${claimedDataBytes} bytes gives what the file holds`, async (context) => {
    const pcm = await decode(context, wavFile(TONE, { sampleRate: 16_000, claimedDataBytes }));
    assert.equal(pcm.durationSeconds, 1);
  });
}

test('what follows the stated samples is no audio', async (context) => {
  const pcm = await decode(context, wavFile(TONE, { sampleRate: 16_000, claimedDataBytes: 16_000 }));
  assert.equal(pcm.durationSeconds, 0.5);
});

test('a file that breaks off within a sample gives the samples before', async (context) => {
  const pcm = await decode(context, wavFile(TONE, { sampleRate: 16_000 }).subarray(0, -801));
  assert.equal(pcm.sound.length, TONE.length - 401);
});

test('a rate of 1 Hz is refused before anything is decoded', async (context) => {
  await assert.rejects(decode(context, wavFile(TONE, { sampleRate: 1 })), {
    code: 'unsupported_audio',
    message: /sample rate of 1 Hz; expected 4000/,
  });
});

test('a 16 kHz file is read without another process', async (context) => {
  const path = await temporaryFile(context, 'recording.wav', wavFile(TONE, { sampleRate: 16_000 }));
  const children: number[] = [];
  const onProgress = () => children.push(...childProcessIds());
  await decodeAudio(path, decodeOptions({ onProgress }));
  assert.deepEqual(children, []);
});

test('other rates are converted with their length, level and pitch', async (context) => {
  for (const sampleRate of [8_000, 22_050, 44_100, 48_000]) {
    const pcm = await decode(context, wavFile(sine(440, sampleRate, sampleRate), { sampleRate }));
    assert.equal(pcm.sound.length, 16_000);
    const fit = fitSine(samplesOf(pcm), { frequency: 440, rate: 16_000, edge: 1000 });
    assert.ok(fit.correlation >= 0.99999, `${sampleRate} Hz: ${fit.correlation}`);
    assert.ok(Math.abs(fit.amplitude - 0.5) < 1e-3, `${sampleRate} Hz: ${fit.amplitude}`);
  }
});
