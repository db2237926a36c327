import { deflateSync } from 'node:zlib';

/** UTF-8 bytes over their compressed size: text that repeats itself compresses well (openai/whisper utils.py). */
export function compressionRatio(text: string): number {
  const bytes = Buffer.from(text);
  return bytes.length === 0 ? 0 : bytes.length / deflateSync(bytes).length;
}
