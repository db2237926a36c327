/**
 * RIFF/WAVE, read by hand: for 16 kHz recordings no other process is needed, and a header that lies can only lie
 * about lengths, which are never trusted beyond the end of the file.
 */
import { throwIfAborted } from '../base/abort.ts';
import { type AudioFile, readAt, unsupportedAudio } from './audio-file.ts';
import { MAX_SOURCE_RATE, MIN_SOURCE_RATE, type MonoBlock } from './pcm.ts';
import { type WavEncoding, type WavSampleReader, wavSampleReader } from './wav-samples.ts';

export interface WavHeader {
  readonly encoding: WavEncoding;
  readonly bytesPerSample: number;
  readonly channels: number;
  readonly sampleRate: number;
  readonly dataStart: number;
  /** Within the file, whatever the header says. */
  readonly dataBytes: number;
}

const RIFF_HEADER_BYTES = 12;
const CHUNK_HEADER_BYTES = 8;
/** WAVE_FORMAT_EXTENSIBLE's fmt chunk. */
const MAX_FORMAT_BYTES = 40;
/** Far above any writer's count of chunks before the samples; bounds the walk over a hostile file. */
const MAX_CHUNKS = 1000;
const UNKNOWN_LENGTH = 0xffff_ffff;
/** 32 kB of 16-bit samples is one second: aborts are seen soon, and blocks stay small. */
const READ_BYTES = 2 ** 18;

/**
 * The header, or undefined when this is no WAVE file or one with a codec that is not plain samples (ffmpeg may read
 * it). Throws `unsupported_audio` for a sample rate that no recording has.
 */
export async function readWavHeader(file: AudioFile): Promise<WavHeader | undefined> {
  const riff = await readAt(file.handle, 0, RIFF_HEADER_BYTES);
  if (!isWav(riff)) return undefined;
  let format: WavFormat | undefined;
  let longDataBytes: number | undefined;
  let position = RIFF_HEADER_BYTES;
  for (let count = 0; count < MAX_CHUNKS; count += 1) {
    const head = await readAt(file.handle, position, CHUNK_HEADER_BYTES);
    if (head.length < CHUNK_HEADER_BYTES) return undefined;
    const id = head.toString('latin1', 0, 4);
    const sizeBytes = head.readUInt32LE(4);
    const start = position + CHUNK_HEADER_BYTES;
    if (id === 'ds64') longDataBytes = await readLongDataBytes(file, start);
    if (id === 'fmt ')
      format = parseFormat(await readAt(file.handle, start, Math.min(sizeBytes, MAX_FORMAT_BYTES)));
    if (id === 'data') {
      const claimed = sizeBytes === UNKNOWN_LENGTH ? longDataBytes : sizeBytes;
      return (
        format && { ...format, dataStart: start, dataBytes: dataLength(claimed, file.sizeBytes - start) }
      );
    }
    // Chunks are padded to an even length.
    position = start + sizeBytes + (sizeBytes % 2);
  }
  return undefined;
}

export function isWav(head: Buffer): boolean {
  const magic = head.toString('latin1', 0, 4);
  return (magic === 'RIFF' || magic === 'RF64') && head.toString('latin1', 8, 12) === 'WAVE';
}

/** The samples from the beginning, channels averaged. A last frame that is cut off is dropped. */
export async function* readWavSamples(
  file: AudioFile,
  header: WavHeader,
  signal?: AbortSignal,
): AsyncGenerator<MonoBlock> {
  const frameBytes = header.bytesPerSample * header.channels;
  const blockBytes = Math.max(1, Math.floor(READ_BYTES / frameBytes)) * frameBytes;
  const read = wavSampleReader(header.encoding, header.bytesPerSample);
  const end = header.dataStart + header.dataBytes;
  for (let position = header.dataStart; position < end; position += blockBytes) {
    throwIfAborted(signal);
    const bytes = await readAt(file.handle, position, Math.min(blockBytes, end - position));
    yield { samples: averageChannels(bytes, header, read), sampleRate: header.sampleRate };
    if (bytes.length < blockBytes) return;
  }
}

/** One sample for each whole frame of `bytes`. */
export function averageChannels(bytes: Buffer, format: WavFormat, read: WavSampleReader): Float32Array {
  const { channels, bytesPerSample } = format;
  const samples = new Float32Array(Math.floor(bytes.length / (bytesPerSample * channels)));
  for (let frame = 0, offset = 0; frame < samples.length; frame += 1) {
    let sum = 0;
    for (let channel = 0; channel < channels; channel += 1, offset += bytesPerSample) {
      sum += read(bytes, offset);
    }
    samples[frame] = sum / channels;
  }
  return samples;
}

export type WavFormat = Omit<WavHeader, 'dataStart' | 'dataBytes'>;

const ENCODINGS: Readonly<Record<number, { encoding: WavEncoding; bytes: readonly number[] }>> = {
  1: { encoding: 'integer', bytes: [1, 2, 3, 4] },
  3: { encoding: 'float', bytes: [4, 8] },
  6: { encoding: 'a-law', bytes: [1] },
  7: { encoding: 'mu-law', bytes: [1] },
};
const EXTENSIBLE = 0xfffe;
/** The last 14 bytes of every subformat that stands for a plain format tag. */
const SUBFORMAT_TAIL = '000000001000800000aa00389b71';
const MAX_CHANNELS = 64;

/** Of a `fmt ` chunk; undefined for a codec that is not plain samples. Throws `unsupported_audio` for an impossible sample rate. */
export function parseFormat(chunk: Buffer): WavFormat | undefined {
  if (chunk.length < 16) return undefined;
  let tag = chunk.readUInt16LE(0);
  if (tag === EXTENSIBLE) {
    if (chunk.length < MAX_FORMAT_BYTES || chunk.toString('hex', 26, 40) !== SUBFORMAT_TAIL) return undefined;
    tag = chunk.readUInt16LE(24);
  }
  const channels = chunk.readUInt16LE(2);
  const sampleRate = chunk.readUInt32LE(4);
  const bytesPerSample = Math.ceil(chunk.readUInt16LE(14) / 8);
  const known = ENCODINGS[tag];
  if (!known?.bytes.includes(bytesPerSample)) return undefined;
  if (channels < 1 || channels > MAX_CHANNELS) return undefined;
  if (chunk.readUInt16LE(12) !== channels * bytesPerSample) return undefined;
  requireSpeechRate(sampleRate);
  return { encoding: known.encoding, bytesPerSample, channels, sampleRate };
}

/** Throws `unsupported_audio` unless the rate is one that a recording may have. */
export function requireSpeechRate(sampleRate: number): void {
  if (sampleRate >= MIN_SOURCE_RATE && sampleRate <= MAX_SOURCE_RATE) return;
  throw unsupportedAudio(
    `The file states a sample rate of ${sampleRate} Hz; expected ${MIN_SOURCE_RATE} to ${MAX_SOURCE_RATE} Hz. ` +
      'Its header is probably damaged: export the recording again.',
  );
}

async function readLongDataBytes(file: AudioFile, start: number): Promise<number | undefined> {
  const sizes = await readAt(file.handle, start, 16);
  return sizes.length < 16 ? undefined : Number(sizes.readBigUInt64LE(8));
}

/** Writers to a pipe cannot come back to fill in the length: they leave 0 or the highest number. */
function dataLength(claimed: number | undefined, availableBytes: number): number {
  if (claimed === undefined || claimed === 0) return availableBytes;
  return Math.min(claimed, availableBytes);
}
