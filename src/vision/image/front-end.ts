/** Pictures are decoded and resized in threads of their own: it takes tens of milliseconds that the thread of the model must not lose. */
import { Worker } from 'node:worker_threads';
import { abortError, throwIfAborted } from '../../base/abort.ts';
import { AppError, fromWireError, type WireError } from '../../base/errors.ts';
import type { PictureLimits } from './picture.ts';
import type { Preprocessing } from './preprocessing.ts';

export interface ImageFrontEndSettings {
  readonly preprocessing: Preprocessing;
  readonly limits: PictureLimits;
  /** Threads; each holds one decoded picture at a time. */
  readonly workers: number;
}

export interface ImageFrontEnd {
  /**
   * What the model sees of a picture, RGB [crop.height × crop.width × 3]. The bytes are moved, not copied, where they fill their memory:
   * they are gone for the caller. Throws what `decodePicture` throws, or `model_crashed`.
   */
  prepare(bytes: Uint8Array, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>>;
  /** Fails what is under way or waiting with `shutting_down`. */
  close(): Promise<void>;
}

export interface FrontEndStart {
  readonly preprocessing: Preprocessing;
  readonly limits: PictureLimits;
}

export type FrontEndWork = { readonly bytes: Uint8Array } | 'cancel';

export type FrontEndAnswer = { readonly pixels: Uint8Array<ArrayBuffer> } | { readonly error: WireError };

interface Task {
  readonly bytes: Uint8Array;
  resolve(pixels: Uint8Array<ArrayBuffer>): void;
  reject(error: AppError): void;
}

interface Place {
  worker: Worker;
  /** What its thread works on; cleared by the answer, also when the asker has gone meanwhile. */
  task: Task | undefined;
}

export function openImageFrontEnd({ preprocessing, limits, workers }: ImageFrontEndSettings): ImageFrontEnd {
  const start: FrontEndStart = { preprocessing, limits };
  /** In the order of their coming; whoever has gone is not in it. */
  const waiting: Task[] = [];
  const places: Place[] = [];
  let isClosed = false;

  const startThread = (place: Place) => {
    const worker = new Worker(new URL('./front-end-worker.js', import.meta.url), { workerData: start });
    worker.unref();
    let cause: unknown;
    worker.once('error', (error) => {
      cause = error;
    });
    worker.once('exit', (code) => {
      const error = new AppError('model_crashed', 'The thread that prepares pictures has ended. Try again.', {
        cause: cause ?? code,
      });
      finish(place, (task) => task.reject(error));
      if (isClosed) return;
      startThread(place);
      next(place);
    });
    worker.on('message', (answer: FrontEndAnswer) => {
      finish(place, (task) =>
        'error' in answer ? task.reject(fromWireError(answer.error)) : task.resolve(answer.pixels),
      );
      next(place);
    });
    place.worker = worker;
  };
  const finish = (place: Place, how: (task: Task) => void) => {
    const { task } = place;
    place.task = undefined;
    if (task === undefined) return;
    place.worker.unref();
    how(task);
  };
  const next = (place: Place) => {
    if (place.task !== undefined || isClosed) return;
    const task = waiting.shift();
    if (task === undefined) return;
    place.task = task;
    // The thread keeps the process running only while an answer is awaited.
    place.worker.ref();
    const bytes = movable(task.bytes);
    place.worker.postMessage({ bytes } satisfies FrontEndWork, [bytes.buffer]);
  };

  for (let index = 0; index < workers; index += 1) {
    const place = { task: undefined } as unknown as Place;
    startThread(place);
    places.push(place);
  }
  return {
    prepare: (bytes, signal) =>
      new Promise((resolve, reject) => {
        throwIfAborted(signal);
        if (isClosed) throw closed();
        const onAbort = () => {
          const queued = waiting.indexOf(task);
          if (queued >= 0) waiting.splice(queued, 1);
          else
            places.find((place) => place.task === task)?.worker.postMessage('cancel' satisfies FrontEndWork);
          task.reject(abortError(signal!));
        };
        const task: Task = {
          bytes,
          resolve(pixels) {
            signal?.removeEventListener('abort', onAbort);
            resolve(pixels);
          },
          reject(error) {
            signal?.removeEventListener('abort', onAbort);
            reject(error);
          },
        };
        signal?.addEventListener('abort', onAbort, { once: true });
        waiting.push(task);
        const free = places.find((place) => place.task === undefined);
        if (free !== undefined) next(free);
      }),
    async close() {
      isClosed = true;
      for (const task of waiting.splice(0)) task.reject(closed());
      for (const place of places) place.task?.reject(closed());
      await Promise.all(places.map(({ worker }) => worker.terminate()));
    },
  };
}

function closed(): AppError {
  return new AppError('shutting_down', 'The model was unloaded while it prepared the picture. Try again.');
}

/** Memory that can go to another thread: what shares a larger buffer, as small Buffers of Node do, is copied out of it. */
function movable(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const { buffer } = bytes;
  const isWhole = buffer instanceof ArrayBuffer && buffer.byteLength === bytes.byteLength;
  return isWhole ? new Uint8Array(buffer) : new Uint8Array(bytes);
}
