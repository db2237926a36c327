import { openSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { throwIfAborted } from '../base/abort.ts';
import { fromWireError, type WireError } from '../base/errors.ts';
import { type AudioFile, openAudioFile } from './audio-file.ts';
import { type DecoderExit, decoderFailure, runDecoder } from './decoder-child.ts';
import { decodeWithFfmpeg, type FfmpegSetting } from './ffmpeg.ts';
import { type DecodeLimits, type Pcm, SAMPLE_RATE } from './pcm.ts';
import { PcmCollector, requireDuration } from './pcm-collector.ts';
import { soundInFile } from './sound.ts';
import { readWavHeader, readWavSamples, type WavHeader } from './wav.ts';

export interface DecodeOptions extends DecodeLimits {
  readonly ffmpeg: FfmpegSetting;
}

/**
 * Any audio file as mono 16 kHz. A WAVE file of that rate is read here; everything else is decoded by a child process,
 * as the bytes are untrusted: by ffmpeg, or without it by WebAssembly decoders for the common formats.
 *
 * Throws `not_found`, `unsupported_audio`, `audio_too_short`, `audio_too_long`, `disk_full`, `timeout`, `cancelled` or
 * `invalid_config`.
 */
export async function decodeAudio(path: string, options: DecodeOptions): Promise<Pcm> {
  throwIfAborted(options.signal);
  const file = await openAudioFile(path);
  try {
    const header = await readWavHeader(file);
    if (header?.sampleRate === SAMPLE_RATE) return await decodeWav(file, header, options);
  } finally {
    await file.handle.close();
  }
  if (options.ffmpeg !== 'off') {
    const pcm = await decodeWithFfmpeg(path, options.ffmpeg, options);
    if (pcm !== undefined) return pcm;
  }
  return decodeWithoutFfmpeg(path, options);
}

async function decodeWav(file: AudioFile, header: WavHeader, limits: DecodeLimits): Promise<Pcm> {
  if (isAsHeard(header)) return openInPlace(file, header, limits);
  const collector = new PcmCollector(limits);
  try {
    for await (const { samples } of readWavSamples(file, header, limits.signal)) {
      collector.add(new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength));
    }
    return collector.finish();
  } finally {
    collector.discard();
  }
}

/** What models hear, sample for sample: nothing to decode, and no copy needed. */
export function isAsHeard({ encoding, bytesPerSample, channels }: WavHeader): boolean {
  return encoding === 'integer' && bytesPerSample === 2 && channels === 1;
}

function openInPlace(file: AudioFile, header: WavHeader, limits: DecodeLimits): Pcm {
  const length = Math.floor(header.dataBytes / header.bytesPerSample);
  const durationSeconds = length / SAMPLE_RATE;
  requireDuration(durationSeconds, limits);
  limits.onProgress?.(durationSeconds);
  const sound = soundInFile(openSync(file.path, 'r'), { startByte: header.dataStart, length });
  return { sound, durationSeconds };
}

/** Node reserves more than a gigabyte of address space before it does anything. */
const MIN_NODE_MEMORY_BYTES = 2 * 2 ** 30;
/** Only pieces of the file are ever on the heap; the decoders' own memory lies outside it. */
const HEAP_MEGABYTES = 256;
/** 256 MB in pages of 64 kB; the decoders begin with 16 MB and grow with the size of one frame only. */
const DECODER_PAGES = 4096;

async function decodeWithoutFfmpeg(path: string, limits: DecodeLimits): Promise<Pcm> {
  const program = new URL('./decode-process.js', import.meta.url);
  const exit = await runDecoder(
    {
      file: process.execPath,
      args: [
        `--max-old-space-size=${HEAP_MEGABYTES}`,
        // Without these two, V8 reserves gigabytes of address space for each decoder, which its limit would refuse.
        '--disable-wasm-trap-handler',
        `--wasm-max-mem-pages=${DECODER_PAGES}`,
        '--no-warnings',
        fileURLToPath(program),
        path,
        String(limits.maxDurationSeconds + 1),
      ],
      memoryBytes: Math.max(limits.memoryBytes, MIN_NODE_MEMORY_BYTES),
    },
    limits,
  );
  if (exit.code !== 0) throw decodeError(exit);
  return exit.pcm();
}

function decodeError(exit: DecoderExit): Error {
  const last = exit.lines.at(-1) ?? '';
  if (exit.code === 1 && last.startsWith('{"code":')) return fromWireError(JSON.parse(last) as WireError);
  return decoderFailure(exit);
}
