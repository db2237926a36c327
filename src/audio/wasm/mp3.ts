import { MPEGDecoder } from 'mpg123-decoder';
import type { StreamDecoder } from './stream-decoder.ts';

/** libmpg123: MPEG 1, 2 and 2.5, layers I to III, without the encoder's delay where the file tells it. */
export async function openMp3(): Promise<StreamDecoder> {
  const decoder = new MPEGDecoder();
  await decoder.ready;
  return {
    decode: async (bytes) => decoder.decode(bytes),
    // A frame is complete or it is not decoded: nothing is held back.
    flush: async () => ({ channelData: [], sampleRate: 0 }),
  };
}
