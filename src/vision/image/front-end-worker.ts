/** Entry of a thread that prepares pictures. Gets `FrontEndWork`, sends one `FrontEndAnswer` for each picture. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { parentPort, workerData } from 'node:worker_threads';
import { AppError, toWireError } from '../../base/errors.ts';
import type { FrontEndAnswer, FrontEndStart, FrontEndWork } from './front-end.ts';
import { reductionOf } from './geometry.ts';
import { decodePicture, decodeReduced } from './picture.ts';
import type { Size } from './preprocessing.ts';
import { createResizer } from './resize.ts';

const { preprocessing, limits, resize } = workerData as FrontEndStart;
const port = parentPort!;
const resizer = createResizer(preprocessing);
const fast = { limits, reductionOf: (size: Size) => reductionOf(size, preprocessing) };
/** Of the picture under way. */
let controller = new AbortController();

/**
 * V8 would leave hundreds of megabytes of pixels lying until the next large picture. Collecting takes some 5 ms, so it is done only behind
 * pictures that take ten times as long.
 */
setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;
const COLLECTED_PIXELS = 4e6;

port.on('message', (work: FrontEndWork) => {
  if (work === 'cancel') {
    controller.abort();
    return;
  }
  controller = new AbortController();
  void answer(work.bytes, controller.signal);
});

async function answer(bytes: Uint8Array, signal: AbortSignal): Promise<void> {
  let pixels = 0;
  try {
    const reduced = resize === 'fast' ? await decodeReduced(bytes, fast, signal) : undefined;
    const picture = reduced ?? (await decodePicture(bytes, limits, signal));
    pixels = picture.width * picture.height;
    const crop = reduced === undefined ? resizer.resizeAndCrop(picture) : new Uint8Array(reduced.data);
    port.postMessage({ pixels: crop } satisfies FrontEndAnswer, [crop.buffer]);
  } catch (thrown) {
    // A fault of ours ends the thread; the picture fails, and the next one gets a thread without it.
    if (!(thrown instanceof AppError)) throw thrown;
    port.postMessage({ error: toWireError(thrown) } satisfies FrontEndAnswer);
  }
  // In a turn of its own: this one still holds the picture.
  if (pixels > COLLECTED_PIXELS) setImmediate(collectGarbage);
}
