/** Sound from a pipe: a WAVE stream by its header, anything else as raw samples. */
import { unsupportedAudio } from './audio-file.ts';
import type { MonoBlock } from './pcm.ts';
import { averageChannels, isWav, parseFormat, type WavFormat } from './wav.ts';
import { wavSampleReader } from './wav-samples.ts';

const RIFF_HEADER_BYTES = 12;
const CHUNK_HEADER_BYTES = 8;
/** What may stand before the samples: writers put names and remarks there. */
const MAX_HEADER_BYTES = 2 ** 20;
/** Writers to a pipe cannot know the length: they leave one of these. */
const UNKNOWN_LENGTHS = [0, 0xffff_ffff];

/** Blocks as they come. Throws `unsupported_audio` for a WAVE stream of other than plain samples. */
export async function* readSoundStream(
  chunks: AsyncIterable<Uint8Array>,
  { rawSampleRate }: { readonly rawSampleRate: number },
): AsyncGenerator<MonoBlock> {
  const raw: Layout = {
    format: { encoding: 'integer', bytesPerSample: 2, channels: 1, sampleRate: rawSampleRate },
    start: 0,
    bytes: Number.POSITIVE_INFINITY,
  };
  let held: Buffer = Buffer.alloc(0);
  let layout: Layout | undefined;
  for await (const chunk of chunks) {
    held = held.length === 0 ? Buffer.from(chunk) : Buffer.concat([held, chunk]);
    if (layout === undefined) {
      if (held.length < RIFF_HEADER_BYTES) continue;
      layout = isWav(held) ? readHeader(held) : raw;
      if (layout === undefined) continue;
      held = held.subarray(layout.start);
    }
    const { block, used } = cutBlock(held.subarray(0, layout.bytes), layout.format);
    layout = { ...layout, bytes: layout.bytes - used };
    held = held.subarray(used);
    if (block.samples.length > 0) yield block;
    if (layout.bytes === 0) return;
  }
  // Less than a header is less than a millisecond, and what is left is less than a sample.
}

interface Layout {
  readonly format: WavFormat;
  /** Where the samples begin. */
  readonly start: number;
  /** How many bytes of samples follow. */
  readonly bytes: number;
}

function cutBlock(bytes: Buffer, format: WavFormat): { readonly block: MonoBlock; readonly used: number } {
  const frameBytes = format.bytesPerSample * format.channels;
  const used = bytes.length - (bytes.length % frameBytes);
  const read = wavSampleReader(format.encoding, format.bytesPerSample);
  const samples = averageChannels(bytes.subarray(0, used), format, read);
  return { block: { samples, sampleRate: format.sampleRate }, used };
}

/** Undefined while the header is not complete. */
function readHeader(head: Buffer): Layout | undefined {
  let format: WavFormat | undefined;
  let at = RIFF_HEADER_BYTES;
  while (at + CHUNK_HEADER_BYTES <= head.length) {
    const id = head.toString('latin1', at, at + 4);
    const size = head.readUInt32LE(at + 4);
    const start = at + CHUNK_HEADER_BYTES;
    if (id === 'data') {
      if (format === undefined) throw unsupportedAudio('The WAVE stream does not hold plain samples.');
      const frameBytes = format.bytesPerSample * format.channels;
      const bytes = UNKNOWN_LENGTHS.includes(size) ? Number.POSITIVE_INFINITY : size - (size % frameBytes);
      return { format, start, bytes };
    }
    if (start + size > MAX_HEADER_BYTES) break;
    if (start + size > head.length) return undefined;
    if (id === 'fmt ') format = parseFormat(head.subarray(start, start + size));
    // Chunks are padded to an even length.
    at = start + size + (size % 2);
  }
  if (at > MAX_HEADER_BYTES || head.length > MAX_HEADER_BYTES)
    throw unsupportedAudio('The WAVE stream has no samples within its first MiB.');
  return undefined;
}
