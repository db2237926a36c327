/** Entry of the encoder's thread. Gets `EncoderWork`, sends `EncoderAnswer`s: one when it is ready, then one for each piece of work. */
import { parentPort, workerData } from 'node:worker_threads';
import { openOnnxSession } from '../../backends/onnx.ts';
import { toWireError } from '../../base/errors.ts';
import type { EncoderAnswer, EncoderStart, EncoderWork } from './encoder-thread.ts';
import { createEncoder } from './onnx-encoder.ts';

const { path, format, threads } = workerData as EncoderStart;
const port = parentPort!;
const answer = (message: EncoderAnswer, memory?: ArrayBuffer) =>
  port.postMessage(message, memory === undefined ? [] : [memory]);

try {
  const session = await openOnnxSession(path, { threads });
  const encoder = createEncoder(session, format);
  port.on('message', (work: EncoderWork | 'close') => {
    if (work === 'close') {
      void session.close().then(() => port.close());
      return;
    }
    const { mels, frames, memory } = work;
    void encoder
      .encode(mels, frames, memory)
      .then(() => undefined, toWireError)
      .then((error) => answer({ memory, error }, memory));
  });
  answer({ error: undefined });
} catch (thrown) {
  answer({ error: toWireError(thrown) });
}
