import { type AudioFile, readAt, unsupportedAudio } from './audio-file.ts';
import type { AudioFormat, RecognisedAudio } from './audio-format.ts';
import type { MonoBlock } from './pcm.ts';
import { openFlac } from './wasm/flac.ts';
import { openMp3 } from './wasm/mp3.ts';
import { openOggOpus } from './wasm/ogg-opus.ts';
import { openOggVorbis } from './wasm/ogg-vorbis.ts';
import type { DecodedChannels, StreamDecoder } from './wasm/stream-decoder.ts';

type CompressedFormat = Exclude<AudioFormat, 'wav'>;

const OPENERS: Readonly<Record<CompressedFormat, () => Promise<StreamDecoder>>> = {
  mp3: openMp3,
  flac: openFlac,
  'ogg-vorbis': openOggVorbis,
  'ogg-opus': openOggOpus,
};

/** 8 s of 64 kbit/s. Decoded, at most some tens of megabytes, whatever the length of the file. */
const READ_BYTES = 2 ** 16;
/** A decoder prints each error; more than this without a sample between them is no damage but another format. */
const MAX_ERRORS = 10_000;

/** Decodes piece by piece, channels averaged. Damage in the middle is passed over; no audio at all is an error. */
export async function* readCompressed(file: AudioFile, audio: RecognisedAudio): AsyncGenerator<MonoBlock> {
  boundErrors();
  const decoder = await OPENERS[audio.format as CompressedFormat]();
  let samples = 0;
  let failure: unknown;
  for (let position = audio.startByte; failure === undefined; position += READ_BYTES) {
    const bytes = await readAt(file.handle, position, READ_BYTES);
    let decoded: DecodedChannels | undefined;
    try {
      decoded = bytes.length === 0 ? await decoder.flush() : await decoder.decode(bytes);
    } catch (error) {
      failure = error;
    }
    const block = decoded && averageChannels(decoded);
    samples += block?.samples.length ?? 0;
    if (block !== undefined) yield block;
    if (bytes.length === 0) break;
  }
  if (samples > 0) return;
  throw unsupportedAudio('The file has no audio that could be decoded. Check that it plays.', failure);
}

function averageChannels({ channelData, sampleRate }: DecodedChannels): MonoBlock {
  const [first, ...others] = channelData;
  if (first === undefined) return { samples: new Float32Array(), sampleRate };
  if (others.length === 0) return { samples: first, sampleRate };
  const samples = new Float32Array(first.length);
  for (let index = 0; index < samples.length; index += 1) {
    let sum = first[index]!;
    for (const channel of others) sum += channel[index]!;
    samples[index] = sum / channelData.length;
  }
  return { samples, sampleRate };
}

/**
 * The decoders report damage to the console, and on some files one of them reports for ever within a single call.
 * This process has no other use for the console, so its errors are counted, and the count ends such a call.
 */
function boundErrors(): void {
  let errors = 0;
  console.error = () => {
    errors += 1;
    if (errors > MAX_ERRORS) throw new Error('The decoder met too many errors.');
  };
}
