import { type AudioFile, readAt } from './audio-file.ts';
import { isWav } from './wav.ts';

export const AUDIO_FORMATS = ['wav', 'mp3', 'flac', 'ogg-vorbis', 'ogg-opus'] as const;
/** What is decoded without ffmpeg. FLAC may lie in an Ogg container. */
export type AudioFormat = (typeof AUDIO_FORMATS)[number];

export interface RecognisedAudio {
  readonly format: AudioFormat;
  /** Where the audio begins, past any ID3 tag. */
  readonly startByte: number;
}

/** Encoders put padding or the rest of a frame before the first whole one. */
const SEARCH_BYTES = 2 ** 16;

/** What the file holds by its content, never by its name; undefined for anything else. */
export async function recogniseAudio(file: AudioFile): Promise<RecognisedAudio | undefined> {
  const startByte = await skipId3(file);
  const head = await readAt(file.handle, startByte, SEARCH_BYTES);
  const format = formatOf(head);
  return format && { format, startByte };
}

function formatOf(head: Buffer): AudioFormat | undefined {
  const magic = head.toString('latin1', 0, 4);
  if (isWav(head)) return 'wav';
  if (magic === 'fLaC') return 'flac';
  if (magic === 'OggS') return oggFormat(head);
  return hasMpegFrames(head) ? 'mp3' : undefined;
}

/** The length of all ID3v2 tags at the beginning; a tag with a cover picture may be megabytes. */
async function skipId3(file: AudioFile): Promise<number> {
  let position = 0;
  while (position < file.sizeBytes) {
    const head = await readAt(file.handle, position, 10);
    if (head.length < 10 || head.toString('latin1', 0, 3) !== 'ID3') return position;
    // Four times seven bits, and a copy of the header at the end when the flag says so.
    const size = head.subarray(6).reduce((total, byte) => total * 128 + (byte & 0x7f), 0);
    position += 10 + size + (head[5]! & 0x10 ? 10 : 0);
  }
  return position;
}

/** The first packet begins after the page's table of segment lengths. */
function oggFormat(head: Buffer): AudioFormat | undefined {
  const packet = head.toString('latin1', 27 + (head[26] ?? 0), 27 + (head[26] ?? 0) + 8);
  if (packet === 'OpusHead') return 'ogg-opus';
  if (packet.startsWith('\x01vorbis')) return 'ogg-vorbis';
  if (packet.startsWith('\x7fFLAC')) return 'flac';
  return undefined;
}

/** Two frame headers of one kind, one frame apart: eleven set bits alone occur in any data. */
function hasMpegFrames(head: Buffer): boolean {
  for (let at = head.indexOf(0xff); at >= 0; at = head.indexOf(0xff, at + 1)) {
    const first = mpegFrame(head, at);
    if (first === undefined) continue;
    const next = at + first.bytes;
    if (next === head.length) return true;
    if (mpegFrame(head, next)?.kind === first.kind) return true;
  }
  return false;
}

interface MpegFrame {
  readonly bytes: number;
  /** Version, layer and sample rate, which do not change within a stream. */
  readonly kind: number;
}

/** In kbit/s by the header's index; 0 and 15 are no rates. ISO 11172-3 and 13818-3. */
const BIT_RATES = {
  v1: {
    layer1: [0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448],
    layer2: [0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384],
    layer3: [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
  },
  v2: {
    layer1: [0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256],
    layer2: [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
    layer3: [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
  },
} as const;
const SAMPLE_RATES = [44_100, 48_000, 32_000];

function mpegFrame(bytes: Buffer, at: number): MpegFrame | undefined {
  if (at + 4 > bytes.length) return undefined;
  const header = bytes.readUInt32BE(at);
  const versionBits = (header >>> 19) & 3;
  const layer = 4 - ((header >>> 17) & 3);
  const baseRate = SAMPLE_RATES[(header >>> 10) & 3];
  if (header >>> 21 !== 0x7ff || versionBits === 1 || layer === 4 || baseRate === undefined) return undefined;
  const isVersion1 = versionBits === 3;
  const rates = BIT_RATES[isVersion1 ? 'v1' : 'v2'][`layer${layer as 1 | 2 | 3}`];
  const bitsPerSecond = (rates[(header >>> 12) & 15] ?? 0) * 1000;
  if (bitsPerSecond === 0) return undefined;
  const sampleRate = baseRate / (isVersion1 ? 1 : versionBits === 2 ? 2 : 4);
  const padding = (header >>> 9) & 1;
  const samples = layer === 1 ? 384 : layer === 3 && !isVersion1 ? 576 : 1152;
  const size =
    layer === 1
      ? (Math.floor((12 * bitsPerSecond) / sampleRate) + padding) * 4
      : Math.floor((samples * bitsPerSecond) / (8 * sampleRate)) + padding;
  return { bytes: size, kind: (header >>> 10) & 0x7ff803 };
}
