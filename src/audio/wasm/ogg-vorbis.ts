import { OggVorbisDecoder } from '@wasm-audio-decoders/ogg-vorbis';
import type { StreamDecoder } from './stream-decoder.ts';

export async function openOggVorbis(): Promise<StreamDecoder> {
  const decoder = new OggVorbisDecoder();
  await decoder.ready;
  return decoder;
}
