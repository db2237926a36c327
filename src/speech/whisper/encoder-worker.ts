/** Entry of the encoder's thread. */
import { openOnnxSession } from '../../backends/onnx.ts';
import { serveThread } from '../../base/thread.ts';
import type { EncoderStart, EncoderWork } from './encoder-thread.ts';
import { createEncoder } from './onnx-encoder.ts';

await serveThread<EncoderStart, EncoderWork, ArrayBuffer>(async ({ path, format, threads }) => {
  const session = await openOnnxSession(path, { threads });
  const encoder = createEncoder(session, format);
  return {
    async answer({ mels, frames, memory }) {
      await encoder.encode(mels, frames, memory);
      return { answer: memory, moved: [memory] };
    },
    close: () => session.close(),
  };
});
