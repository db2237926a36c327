/** Pictures are decoded and resized in threads of their own: it takes tens of milliseconds that the thread of the model must not lose. */
import { Worker } from 'node:worker_threads';
import { abortError } from '../../base/abort.ts';
import { AppError, fromWireError, type WireError } from '../../base/errors.ts';
import { restrictLibvips } from './libvips.ts';
import type { PictureLimits } from './picture.ts';
import type { Preprocessing } from './preprocessing.ts';

/** `fast` is another filter, close to the one that the model was trained with; it saves two thirds of the time of large pictures. */
export type ResizeMode = 'exact' | 'fast';

export interface ImageFrontEndSettings {
  readonly preprocessing: Preprocessing;
  readonly limits: PictureLimits;
  readonly resize: ResizeMode;
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

export type FrontEndStart = Omit<ImageFrontEndSettings, 'workers'>;

export type FrontEndWork = { readonly bytes: Uint8Array } | 'cancel';

export type FrontEndAnswer = { readonly pixels: Uint8Array<ArrayBuffer> } | { readonly error: WireError };

interface Task {
  readonly bytes: Uint8Array;
  resolve(pixels: Uint8Array<ArrayBuffer>): void;
  reject(error: AppError): void;
}

interface Place {
  /** Started with the first task, and again with the first one after its end: a thread that cannot start is not tried for ever. */
  worker: Worker | undefined;
  /** What the thread works on; kept until it answers, also when the asker has gone meanwhile. */
  task: Task | undefined;
}

export function openImageFrontEnd({ workers, ...start }: ImageFrontEndSettings): ImageFrontEnd {
  restrictLibvips();
  /** In the order of their coming; whoever has gone is not in it. */
  const waiting: Task[] = [];
  const places = Array.from({ length: workers }, (): Place => ({ worker: undefined, task: undefined }));
  let isClosed = false;

  const startThread = (place: Place): Worker => {
    const worker = new Worker(new URL('./front-end-worker.js', import.meta.url), {
      workerData: start satisfies FrontEndStart,
    });
    let cause: unknown;
    worker.once('error', (error) => {
      cause = error;
    });
    worker.once('exit', (code) => {
      place.worker = undefined;
      finish(place)?.reject(ended(cause ?? `exit code ${code}`));
      next();
    });
    worker.on('message', (answer: FrontEndAnswer) => {
      const task = finish(place);
      if ('error' in answer) task?.reject(fromWireError(answer.error));
      else task?.resolve(answer.pixels);
      next();
    });
    return worker;
  };
  const finish = (place: Place): Task | undefined => {
    const { task } = place;
    place.task = undefined;
    place.worker?.unref();
    return task;
  };
  const next = () => {
    const place = places.find(({ task }) => task === undefined);
    if (place === undefined || isClosed) return;
    const task = waiting.shift();
    if (task === undefined) return;
    place.task = task;
    place.worker ??= startThread(place);
    // The thread keeps the process running only while an answer is awaited.
    place.worker.ref();
    const bytes = movable(task.bytes);
    place.worker.postMessage({ bytes } satisfies FrontEndWork, [bytes.buffer]);
  };
  const cancel = (task: Task) => {
    const queued = waiting.indexOf(task);
    if (queued >= 0) waiting.splice(queued, 1);
    else places.find((place) => place.task === task)?.worker?.postMessage('cancel' satisfies FrontEndWork);
  };

  return {
    prepare(bytes, signal) {
      const { promise, task } = createTask(bytes);
      const onAbort = () => {
        cancel(task);
        task.reject(abortError(signal!));
      };
      if (signal?.aborted) task.reject(abortError(signal));
      else if (isClosed) task.reject(closed());
      else {
        signal?.addEventListener('abort', onAbort, { once: true });
        waiting.push(task);
        next();
      }
      return promise.finally(() => signal?.removeEventListener('abort', onAbort));
    },
    async close() {
      isClosed = true;
      for (const task of waiting.splice(0)) task.reject(closed());
      for (const { task } of places) task?.reject(closed());
      await Promise.all(places.map(({ worker }) => worker?.terminate()));
    },
  };
}

function createTask(bytes: Uint8Array): { promise: Promise<Uint8Array<ArrayBuffer>>; task: Task } {
  let task: Task | undefined;
  const promise = new Promise<Uint8Array<ArrayBuffer>>((resolve, reject) => {
    task = { bytes, resolve, reject };
  });
  return { promise, task: task! };
}

function ended(cause: unknown): AppError {
  return new AppError(
    'model_crashed',
    'The thread that prepares pictures ended while it had this one. Try again.',
    { cause },
  );
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
