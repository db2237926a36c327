import { FLACDecoder } from '@wasm-audio-decoders/flac';
import type { StreamDecoder } from './stream-decoder.ts';

/** libFLAC, for native files and for FLAC in Ogg. */
export async function openFlac(): Promise<StreamDecoder> {
  const decoder = new FLACDecoder();
  await decoder.ready;
  return decoder;
}
