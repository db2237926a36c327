/**
 * Entry of the process that decodes without ffmpeg: `decode-process.js PATH MAX_SECONDS` writes 16 kHz mono float32 to
 * its standard output. On failure it exits with 1 and a WireError as the last line of standard error.
 */
import { once } from 'node:events';
import { toWireError } from '../base/errors.ts';
import { openAudioFile, unsupportedAudio } from './audio-file.ts';
import { recogniseAudio } from './audio-format.ts';
import { readCompressed } from './compressed-audio.ts';
import { type MonoBlock, SAMPLE_RATE } from './pcm.ts';
import { Resampler } from './resample.ts';
import { readWavHeader, readWavSamples, requireSpeechRate } from './wav.ts';

await main(process.argv[2] ?? '', Number(process.argv[3]));

async function main(path: string, maxSeconds: number): Promise<void> {
  // The reader has gone: there is nobody to tell.
  process.stdout.on('error', () => process.exit(1));
  try {
    await decode(path, maxSeconds);
  } catch (error) {
    process.stderr.write(`\n${JSON.stringify(toWireError(error))}\n`);
    process.exitCode = 1;
  }
}

async function decode(path: string, maxSeconds: number): Promise<void> {
  let resampler: Resampler | undefined;
  let sampleRate = 0;
  let seconds = 0;
  const write = async (samples: Float32Array | undefined) => {
    if (samples === undefined || samples.length === 0) return;
    seconds += samples.length / SAMPLE_RATE;
    const bytes = new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength);
    if (!process.stdout.write(bytes)) await once(process.stdout, 'drain');
  };
  for await (const block of readBlocks(path)) {
    if (block.samples.length === 0) continue;
    // Joined streams may change their rate: each part is converted by itself.
    if (block.sampleRate !== sampleRate) {
      await write(resampler?.flush());
      requireSpeechRate(block.sampleRate);
      sampleRate = block.sampleRate;
      resampler = sampleRate === SAMPLE_RATE ? undefined : new Resampler(sampleRate);
    }
    await write(resampler === undefined ? block.samples : resampler.push(block.samples));
    if (seconds > maxSeconds) return;
  }
  await write(resampler?.flush());
}

async function* readBlocks(path: string): AsyncGenerator<MonoBlock> {
  const file = await openAudioFile(path);
  try {
    const recognised = await recogniseAudio(file);
    if (recognised === undefined) throw needsFfmpeg();
    if (recognised.format !== 'wav') return yield* readCompressed(file, recognised);
    const header = await readWavHeader(file);
    if (header === undefined) throw needsFfmpeg();
    yield* readWavSamples(file, header);
  } finally {
    await file.handle.close();
  }
}

function needsFfmpeg(): Error {
  return unsupportedAudio(
    'The file is not WAV, MP3, FLAC, Ogg Vorbis or Opus, which are all that can be read here without ffmpeg. ' +
      'Install ffmpeg on the server (Debian, Ubuntu: apt install ffmpeg; macOS: brew install ffmpeg; ' +
      'Windows: winget install ffmpeg), or convert the file.',
  );
}
