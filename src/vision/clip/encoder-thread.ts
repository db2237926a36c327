/** The encoders in a thread of their own: ONNX Runtime holds the thread that it is called from, and requests come in meanwhile. */
import { startThread } from '../../base/thread.ts';
import type { ClipEncoders } from './encoders.ts';
import type { ExportedStart } from './exported-encoders.ts';
import type { OwnStart } from './own-encoders.ts';
import type { EncodedText } from './tokenizer.ts';

export type EncodersStart =
  | ({ readonly kind: 'own' | 'text' } & OwnStart)
  | ({ readonly kind: 'exported' } & ExportedStart);

export type EncoderWork =
  | { readonly pictures: readonly Uint8Array<ArrayBuffer>[] }
  | { readonly texts: readonly EncodedText[] };

/** The text encoder of `graphs` alone. */
export async function startText(start: OwnStart): Promise<Omit<ClipEncoders, 'encodeImages'>> {
  const { encodeTexts, close } = await startEncoders({ kind: 'text', ...start });
  return { encodeTexts, close };
}

/** Pictures are moved to the thread. Throws what opening the graphs throws. */
export async function startEncoders(start: EncodersStart): Promise<ClipEncoders> {
  const entry = new URL('./encoder-worker.js', import.meta.url);
  const thread = await startThread<EncoderWork, Float32Array>(entry, start);
  return {
    encodeImages: (pictures) =>
      thread.ask(
        { pictures },
        pictures.map(({ buffer }) => buffer),
      ),
    encodeTexts: (texts) => thread.ask({ texts }),
    close: () => thread.close(),
  };
}
