/** Any recording as a file of what models hear: 16 kHz, mono, 16 bits. Little of it is ever in memory. */
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { throwIfAborted } from '../base/abort.ts';
import { AppError } from '../base/errors.ts';
import { type AudioFile, openAudioFile, readAt } from './audio-file.ts';
import { recogniseAudio } from './audio-format.ts';
import { type DecodeOptions, decodeAudio, isAsHeard } from './decode.ts';
import { SAMPLE_RATE } from './pcm.ts';
import { requireDuration } from './pcm-collector.ts';
import { writePcm } from './pcm-stream.ts';
import type { Sound } from './sound.ts';
import { readWavHeader } from './wav.ts';

export interface PreparedRecording {
  /** `source` where that is 16 kHz mono PCM of 16 bits in a WAVE file already, else `target`. */
  readonly path: string;
  /** What the source is by its content: `wav`, `mp3`, `flac`, `ogg-vorbis`, `ogg-opus`, `mp4`, `matroska`, `other` and more. */
  readonly format: string;
  readonly durationSeconds: number;
}

/**
 * Writes `target`, a WAVE file, unless `source` can be heard as it is. `target` appears whole or not at all. Throws as `decodeAudio` does,
 * and `disk_full`.
 */
export async function prepareRecording(
  source: string,
  target: string,
  options: DecodeOptions,
): Promise<PreparedRecording> {
  const { format, heardSeconds } = await describe(source);
  if (heardSeconds !== undefined) {
    requireDuration(heardSeconds, options);
    return { path: source, format, durationSeconds: heardSeconds };
  }
  const { sound, durationSeconds } = await decodeAudio(source, options);
  try {
    await writeWav(target, sound, options.signal);
  } finally {
    sound.close();
  }
  return { path: target, format, durationSeconds };
}

/** `heardSeconds`: the length of what needs no decoding; undefined for the rest. */
async function describe(
  source: string,
): Promise<{ readonly format: string; readonly heardSeconds: number | undefined }> {
  const file = await openAudioFile(source);
  try {
    const header = await readWavHeader(file);
    const isHeard = header?.sampleRate === SAMPLE_RATE && isAsHeard(header);
    const heardSeconds = isHeard
      ? Math.floor(header.dataBytes / header.bytesPerSample) / SAMPLE_RATE
      : undefined;
    return { format: await formatOf(file), heardSeconds };
  } finally {
    await file.handle.close();
  }
}

/** Bytes at an offset that tell the containers which only ffmpeg opens. */
const CONTAINERS: readonly { readonly name: string; readonly offset: number; readonly bytes: string }[] = [
  { name: 'mp4', offset: 4, bytes: 'ftyp' },
  { name: 'matroska', offset: 0, bytes: '\x1aE\xdf\xa3' },
  { name: 'asf', offset: 0, bytes: '0&\xb2u' },
  { name: 'aiff', offset: 8, bytes: 'AIF' },
  { name: 'caf', offset: 0, bytes: 'caff' },
  { name: 'amr', offset: 0, bytes: '#!AMR' },
  { name: 'au', offset: 0, bytes: '.snd' },
  { name: 'avi', offset: 8, bytes: 'AVI ' },
];

async function formatOf(file: AudioFile): Promise<string> {
  const recognised = await recogniseAudio(file);
  if (recognised !== undefined) return recognised.format;
  const head = (await readAt(file.handle, 0, 16)).toString('latin1');
  return CONTAINERS.find(({ offset, bytes }) => head.startsWith(bytes, offset))?.name ?? 'other';
}

/** 0.5 MB, 16 s. */
const SAMPLES_AT_ONCE = 2 ** 18;

async function writeWav(target: string, sound: Sound, signal: AbortSignal): Promise<void> {
  const unfinished = `${target}.part`;
  try {
    const file = await open(unfinished, 'w', 0o600);
    try {
      await writeWhole(file, wavHeader(sound.length * 2));
      for (let at = 0; at < sound.length; at += SAMPLES_AT_ONCE) {
        throwIfAborted(signal);
        await writeWhole(file, writePcm(sound.read(at, at + SAMPLES_AT_ONCE)));
      }
    } finally {
      await file.close();
    }
    await rename(unfinished, target);
  } catch (thrown) {
    await rm(unfinished, { force: true });
    if ((thrown as NodeJS.ErrnoException).code !== 'ENOSPC') throw thrown;
    throw new AppError(
      'disk_full',
      'The disk has no room for the recording at 16 kHz, 115 MB an hour. Free space in the data directory, or send a shorter one.',
      { cause: thrown },
    );
  }
}

/** A file may take less at once than it is given. */
async function writeWhole(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; ) at += (await file.write(bytes, at)).bytesWritten;
}

const HEADER_BYTES = 44;
/** Stands for a length that 32 bits do not hold: 37 hours. Readers take what there is. */
const UNKNOWN_LENGTH = 0xffff_ffff;

function wavHeader(dataBytes: number): Buffer {
  const bytesPerSample = 2;
  const header = Buffer.alloc(HEADER_BYTES);
  header.write('RIFF', 0, 'latin1');
  header.writeUInt32LE(Math.min(HEADER_BYTES - 8 + dataBytes, UNKNOWN_LENGTH), 4);
  header.write('WAVEfmt ', 8, 'latin1');
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(1, 20); // plain samples
  header.writeUInt16LE(1, 22); // one channel
  header.writeUInt32LE(SAMPLE_RATE, 24);
  header.writeUInt32LE(SAMPLE_RATE * bytesPerSample, 28);
  header.writeUInt16LE(bytesPerSample, 32);
  header.writeUInt16LE(bytesPerSample * 8, 34);
  header.write('data', 36, 'latin1');
  header.writeUInt32LE(Math.min(dataBytes, UNKNOWN_LENGTH), 40);
  return header;
}
