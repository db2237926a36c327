import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { AppError } from '../base/errors.ts';
import { unsupportedAudio } from './audio-file.ts';
import { type DecoderExit, decoderFailure, runDecoder } from './decoder-child.ts';
import { type DecodeLimits, type Pcm, SAMPLE_RATE } from './pcm.ts';
import { requireSpeechRate } from './wav.ts';

/** `auto`: the one on the PATH, if any; `off`: never; else its path. */
export type FfmpegSetting = 'auto' | 'off' | (string & {});

export interface FfmpegInfo {
  readonly path: string;
  readonly version: string;
}

/** Where and which, asked of the program itself. Throws `invalid_config` when a configured path does not run. */
export async function findFfmpeg(setting: FfmpegSetting): Promise<FfmpegInfo | undefined> {
  if (setting === 'off') return undefined;
  const path = ffmpegPath(setting);
  try {
    const { stdout } = await promisify(execFile)(path, ['-version'], { timeout: 10_000 });
    return { path, version: /^ffmpeg version (\S+)/.exec(stdout)?.[1] ?? 'unknown' };
  } catch (cause) {
    if (setting === 'auto') return undefined;
    throw notRunnable(path, cause);
  }
}

/** Decodes the first audio stream, whatever the container. Undefined when `auto` finds no ffmpeg on this machine. */
export async function decodeWithFfmpeg(
  path: string,
  setting: Exclude<FfmpegSetting, 'off'>,
  limits: DecodeLimits,
): Promise<Pcm | undefined> {
  const exit = await runDecoder(
    {
      file: ffmpegPath(setting),
      args: ffmpegArguments(path, limits.maxDurationSeconds),
      memoryBytes: limits.memoryBytes,
      onLine: refuseOddRates,
    },
    limits,
  );
  if (!exit.started) {
    if (setting === 'auto') return undefined;
    throw notRunnable(setting);
  }
  // A file that breaks off half-way ends with 0 and what there was; a limit that was hit does not.
  if (exit.code !== 0 || exit.seconds === 0) throw decodeError(exit, path);
  return exit.pcm();
}

function ffmpegPath(setting: FfmpegSetting): string {
  return setting === 'auto' ? 'ffmpeg' : setting;
}

/**
 * Demuxers that may open the file. None of them reads playlists (concat, hls, dash, sdp): those would open other files
 * of this machine, and `-protocol_whitelist file` alone does not stop them.
 */
const DEMUXERS =
  'aac,ac3,aiff,amr,amrnb,amrwb,ape,asf,au,avi,caf,dts,eac3,flac,flv,gsm,loas,matroska,mov,mp3,mp4,mpc,mpc8,mpeg,' +
  'mpegts,nistsphere,ogg,truehd,tta,voc,w64,wav,webm,wv';

/** Every common sound codec, by the names of FFmpeg's own decoders and of the libraries it may be built to prefer. */
const DECODERS =
  'aac,aac_at,aac_fixed,aac_latm,libfdk_aac,ac3,ac3_at,ac3_fixed,eac3,eac3_at,dca,truehd,mlp,alac,alac_at,ape,flac,' +
  'mp1,mp1float,mp1_at,mp2,mp2float,mp2_at,mp3,mp3float,mp3_at,mp3adufloat,mp3on4float,mpc7,mpc8,opus,libopus,speex,' +
  'libspeex,tta,vorbis,libvorbis,wavpack,wmav1,wmav2,wmalossless,wmapro,wmavoice,amrnb,amr_nb_at,amrwb,' +
  'libopencore_amrnb,libopencore_amrwb,g722,g723_1,g726,g726le,g729,gsm,gsm_ms,gsm_ms_at,libgsm,libgsm_ms,ilbc,' +
  'ilbc_at,libilbc,nellymoser,truespeech,adpcm_g722,adpcm_g726,adpcm_g726le,adpcm_ima_dk4,adpcm_ima_qt,' +
  'adpcm_ima_qt_at,adpcm_ima_wav,adpcm_ms,adpcm_swf,adpcm_yamaha,adpcm_ct,pcm_alaw,pcm_alaw_at,pcm_mulaw,' +
  'pcm_mulaw_at,pcm_bluray,pcm_dvd,pcm_f16le,pcm_f24le,pcm_f32be,pcm_f32le,pcm_f64be,pcm_f64le,pcm_lxf,pcm_s8,' +
  'pcm_s8_planar,pcm_s16be,pcm_s16be_planar,pcm_s16le,pcm_s16le_planar,pcm_s24be,pcm_s24le,pcm_s24le_planar,pcm_s32be,' +
  'pcm_s32le,pcm_s32le_planar,pcm_s64be,pcm_s64le,pcm_u8,pcm_u16be,pcm_u16le,pcm_u24be,pcm_u24le,pcm_u32be,pcm_u32le';

/**
 * Flat to 7 kHz, and 104 dB down from 8 kHz on, with FFmpeg's own resampler, so that every build gives the same.
 * `rematrix_maxval` keeps a mix of equal channels at their level; without it float codecs come out 3 dB too loud.
 */
const RESAMPLER =
  `aresample=${SAMPLE_RATE}:rematrix_maxval=1:filter_size=128:phase_shift=10:cutoff=0.95:` +
  'filter_type=kaiser:kaiser_beta=10';

function ffmpegArguments(path: string, maxDurationSeconds: number): string[] {
  return [
    ...['-nostdin', '-hide_banner', '-nostats', '-v', 'info'],
    ...['-protocol_whitelist', 'file', '-format_whitelist', DEMUXERS, '-codec_whitelist', DECODERS],
    ...['-threads', '1', '-max_error_rate', '1', '-i', `file:${path}`],
    ...['-map', '0:a:0', '-vn', '-sn', '-dn', '-map_metadata', '-1', '-map_chapters', '-1'],
    // One second more than allowed tells too long from just long enough, and bounds the output whatever happens.
    ...['-af', RESAMPLER, '-ac', '1', '-t', String(maxDurationSeconds + 1), '-f', 'f32le', 'pipe:1'],
  ];
}

/** FFmpeg would turn 32 kB that claim to be recorded at 1 Hz into a gigabyte. */
function refuseOddRates(line: string): void {
  const rate = /^ *Stream #0:\d+.*: Audio: .*?, (\d+) Hz/.exec(line)?.[1];
  if (rate !== undefined) requireSpeechRate(Number(rate));
}

const REASONS: readonly (readonly [pattern: RegExp, message: string])[] = [
  [
    /matches no streams|does not contain any stream/,
    'The file has no audio stream. Send a recording with sound.',
  ],
  [
    /Format not on whitelist/i,
    'The file is of a kind that is not read as audio (a playlist, for example). Send the recording itself.',
  ],
  [
    /Invalid data found|moov atom not found|could not find codec parameters|End of file|Error opening input/i,
    'The file is not in an audio format that ffmpeg knows, or it is damaged. Check that it plays, or convert it to WAV, MP3 or FLAC.',
  ],
  [
    /Codec .* not on whitelist|Decoder .* not found|Decoding requested, but no decoder/i,
    'The audio codec of the file is not supported. Convert it to WAV, MP3 or FLAC.',
  ],
  [
    /Cannot allocate memory|out of memory/i,
    'Decoding the file needs more memory than is allowed. Convert it to WAV, MP3 or FLAC.',
  ],
];

function decodeError(exit: DecoderExit, path: string): AppError {
  const output = exit.lines.join('\n').replaceAll(path, 'the file');
  const failure = decoderFailure(exit, output);
  const known = REASONS.find(([pattern]) => pattern.test(output));
  if (exit.killedBy !== null || known === undefined) return failure;
  return unsupportedAudio(known[1], failure.cause);
}

function notRunnable(path: string, cause?: unknown): AppError {
  return new AppError(
    'invalid_config',
    `The ffmpeg named in the configuration cannot be run: ${path}. Give the path of an ffmpeg program, "auto" or "off".`,
    { param: 'audio.ffmpeg', cause },
  );
}
