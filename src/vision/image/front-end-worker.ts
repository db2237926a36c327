/** Entry of a thread that prepares pictures. Gets `FrontEndWork`, sends one `FrontEndAnswer` for each picture. */
import { parentPort, workerData } from 'node:worker_threads';
import { toWireError } from '../../base/errors.ts';
import type { FrontEndAnswer, FrontEndStart, FrontEndWork } from './front-end.ts';
import { decodePicture } from './picture.ts';
import { resizeAndCrop } from './resize.ts';

const { preprocessing, limits } = workerData as FrontEndStart;
const port = parentPort!;
/** Of the picture under way. */
let controller = new AbortController();

port.on('message', (work: FrontEndWork) => {
  if (work === 'cancel') {
    controller.abort();
    return;
  }
  controller = new AbortController();
  void prepare(work.bytes, controller.signal).then(
    (pixels) => port.postMessage({ pixels } satisfies FrontEndAnswer, [pixels.buffer]),
    (thrown) => port.postMessage({ error: toWireError(thrown) } satisfies FrontEndAnswer),
  );
});

async function prepare(bytes: Uint8Array, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
  return resizeAndCrop(await decodePicture(bytes, limits, signal), preprocessing);
}
