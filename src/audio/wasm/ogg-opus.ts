import { OggOpusDecoder } from 'ogg-opus-decoder';
import type { StreamDecoder } from './stream-decoder.ts';

/** libopus, always at 48 kHz. */
export async function openOggOpus(): Promise<StreamDecoder> {
  const decoder = new OggOpusDecoder();
  await decoder.ready;
  return { decode: async (bytes) => decoder.decode(bytes), flush: () => decoder.flush() };
}
