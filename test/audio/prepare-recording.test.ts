import assert from 'node:assert/strict';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { decodeAudio } from '../../src/audio/decode.ts';
import { prepareRecording } from '../../src/audio/prepare-recording.ts';
import { decodeOptions, fixture, samplesOf } from '../support/audio.ts';
import { temporaryFile, temporaryFolder } from '../support/temporary.ts';
import { sine, wavFile } from '../support/wav.ts';

const SECOND = sine(440, 16_000, 16_000);

async function paths(t: TestContext, content: Uint8Array) {
  const folder = await temporaryFolder(t);
  return { source: await temporaryFile(t, 'raw.bin', content), target: join(folder, 'speech.wav'), folder };
}

test('a WAVE file of what models hear stays where it is, and nothing is written', async (t) => {
  const { source, target, folder } = await paths(t, wavFile(SECOND, { sampleRate: 16_000 }));
  const prepared = await prepareRecording(source, target, decodeOptions());
  assert.deepEqual(prepared, { path: source, format: 'wav', durationSeconds: 1 });
  assert.deepEqual(await readdir(folder), []);
});

test('other rates, channels and widths become a WAVE file of what models hear', async (t) => {
  const stereo = Float64Array.from({ length: 2 * SECOND.length }, (_, index) => SECOND[index >> 1]!);
  const sources = [
    wavFile(sine(440, 44_100, 44_100), { sampleRate: 44_100 }),
    wavFile(stereo, { sampleRate: 16_000, channels: 2 }),
    wavFile(SECOND, { sampleRate: 16_000, encoding: 'f32' }),
  ];
  for (const content of sources) {
    const { source, target, folder } = await paths(t, content);
    const prepared = await prepareRecording(source, target, decodeOptions());
    assert.deepEqual(prepared, { ...prepared, path: target, format: 'wav' });
    assert.ok(Math.abs(prepared.durationSeconds - 1) < 0.01);
    assert.deepEqual(await readdir(folder), ['speech.wav']);
    // What was written is what the decoder hears in the source, sample for sample, and needs no further preparing.
    const [heard, written] = [source, target].map((path) => decodeAudio(path, decodeOptions()));
    assert.deepEqual(samplesOf(await written!), samplesOf(await heard!));
    const again = await prepareRecording(target, join(folder, 'again.wav'), decodeOptions());
    assert.equal(again.path, target);
    assert.equal(again.durationSeconds, prepared.durationSeconds);
    const header = await readFile(target);
    assert.equal(header.readUInt32LE(4), header.length - 8);
    assert.equal(header.readUInt32LE(40), header.length - 44);
  }
});

test('the format is told by the content', async (t) => {
  const folder = await temporaryFolder(t);
  const formats = {
    'sine-440.mp3': 'mp3',
    'sine-440.flac': 'flac',
    'sine-440.ogg': 'ogg-vorbis',
    'sine-440.opus': 'ogg-opus',
  };
  for (const [name, format] of Object.entries(formats)) {
    const target = join(folder, `${name}.wav`);
    const prepared = await prepareRecording(fixture(name), target, decodeOptions());
    assert.deepEqual({ path: prepared.path, format: prepared.format }, { path: target, format });
    assert.equal((await stat(target)).size, 44 + 2 * Math.round(prepared.durationSeconds * 16_000));
  }
});

test('what is no audio, too long or cancelled leaves nothing behind', async (t) => {
  const wide = wavFile(SECOND, { sampleRate: 16_000, encoding: 'f32' });
  const aborted = new AbortController();
  aborted.abort();
  const cases = [
    { content: Buffer.from('no audio at all'), code: 'unsupported_audio' },
    { content: wide, code: 'audio_too_long', options: { maxDurationSeconds: 0.5 } },
    {
      content: wavFile(SECOND, { sampleRate: 16_000 }),
      code: 'audio_too_long',
      options: { maxDurationSeconds: 0.5 },
    },
    { content: wide, code: 'cancelled', options: { signal: aborted.signal } },
  ];
  for (const { content, code, options } of cases) {
    const { source, target, folder } = await paths(t, content);
    await assert.rejects(prepareRecording(source, target, decodeOptions(options)), { code });
    assert.deepEqual(await readdir(folder), []);
  }
});
