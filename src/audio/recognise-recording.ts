/** Whether a file can be a recording at all, by how it begins; much of what ffmpeg decodes is more than our own decoders do. */
import { AppError } from '../base/errors.ts';
import { openAudioFile, readAt } from './audio-file.ts';
import { recogniseAudio } from './audio-format.ts';

/** How containers and raw streams begin, read as Latin-1. */
const STARTS: readonly string[] = [
  // Matroska, WebM.
  '\x1a\x45\xdf\xa3',
  'OggS',
  'caff',
  '#!AMR',
  '.snd',
  'FLV\x01',
  'ADIF',
  // ASF: WMA, WMV.
  '\x30\x26\xb2\x75\x8e\x66\xcf\x11',
  // AAC in ADTS, of MPEG-2 or 4, with a check sum or without.
  ...['\xff\xf0', '\xff\xf1', '\xff\xf8', '\xff\xf9'],
  // MPEG program stream.
  '\x00\x00\x01\xba',
];
const PATTERNS: readonly RegExp[] = [
  // MP4, M4A, MOV, 3GP, but not the pictures that lie in the same container; the first box of old QuickTime files is another.
  /^[\s\S]{4}ftyp(?!avif|avis|heic|heix|hevc|mif1|msf1)/,
  /^[\s\S]{4}(moov|mdat|wide|free|skip)/,
  /^RIFF[\s\S]{4}AVI /,
  /^FORM[\s\S]{4}AIF[FC]/,
];

/** False as well for what is no regular file or empty. */
export async function looksLikeRecording(path: string): Promise<boolean> {
  const file = await openAudioFile(path).catch((error: unknown) => {
    if (error instanceof AppError) return undefined;
    throw error;
  });
  if (file === undefined) return false;
  try {
    if (await recogniseAudio(file)) return true;
    const head = (await readAt(file.handle, 0, 16)).toString('latin1');
    return STARTS.some((start) => head.startsWith(start)) || PATTERNS.some((pattern) => pattern.test(head));
  } finally {
    await file.handle.close();
  }
}
