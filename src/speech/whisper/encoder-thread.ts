/**
 * The encoder in a thread of its own: ONNX Runtime holds the thread that it is called from, and neither it nor the decoder can use two
 * cores all the time. While one batch is decoded the next is encoded (docs/benchmarks.md, "Encoder beside decoder").
 */
import { Worker } from 'node:worker_threads';
import type { EncodedWindows } from '../../backends/contract.ts';
import { createSlab } from '../../backends/slab.ts';
import { AppError, fromWireError, type WireError } from '../../base/errors.ts';
import { type AudioFormat, audioBytes, audioTensors } from './audio-memory.ts';
import type { Tensors } from './tensors.ts';

export interface EncoderStart {
  /** The graph. */
  readonly path: string;
  readonly format: AudioFormat;
  readonly threads: number;
}

/** Memory goes with the message, and comes back with the answer. */
export interface EncoderWork {
  readonly mels: readonly Float32Array[];
  readonly frames: number;
  readonly memory: ArrayBuffer;
}

export interface EncoderAnswer {
  readonly memory?: ArrayBuffer;
  readonly error: WireError | undefined;
}

/** What `audioTensors` says, [windows × ...]. */
export interface OnnxWindows extends EncodedWindows {
  readonly tensors: Tensors;
}

export interface EncoderThread {
  /** As the backend's `encode`; calls are answered in their order. */
  encode(mels: readonly Float32Array[], frames: number): Promise<OnnxWindows>;
  close(): Promise<void>;
}

interface Waiting {
  resolve(answer: EncoderAnswer): void;
  reject(error: unknown): void;
}

/** Room for this many windows of this length is there from the beginning; larger batches take more. */
const USUAL_BATCH = { windows: 3, positions: 736 };

/** Throws what opening the graph throws. */
export async function startEncoder(start: EncoderStart): Promise<EncoderThread> {
  const { format } = start;
  const worker = new Worker(new URL('./encoder-worker.js', import.meta.url), { workerData: start });
  const waiting: Waiting[] = [];
  let failure: AppError | undefined;
  const fail = (cause: unknown) => {
    failure ??= new AppError('model_failed', 'The thread of the encoder has ended.', { cause });
    for (const { reject } of waiting.splice(0)) reject(failure);
  };
  const ended = new Promise<void>((resolve) => {
    worker.once('error', fail);
    worker.once('exit', (code) => {
      fail(`exit code ${code}`);
      resolve();
    });
  });
  worker.on('message', (answer: EncoderAnswer) => waiting.shift()!.resolve(answer));
  /** The thread keeps the process running only while an answer is awaited. */
  const nextAnswer = async (): Promise<EncoderAnswer> => {
    worker.ref();
    const answer = await new Promise<EncoderAnswer>((resolve, reject) =>
      waiting.push({ resolve, reject }),
    ).finally(() => waiting.length === 0 && worker.unref());
    if (answer.error !== undefined) throw fromWireError(answer.error);
    return answer;
  };

  await nextAnswer();
  // One batch is encoded while another is decoded.
  const slabs = createSlab({ least: audioBytes(format, USUAL_BATCH), most: 2 });
  return {
    async encode(mels, frames) {
      if (failure !== undefined) throw failure;
      const shape = { windows: mels.length, positions: frames / 2 };
      const memory = slabs.take(audioBytes(format, shape));
      const work: EncoderWork = { mels, frames, memory };
      const moved = [memory, ...mels.map(({ buffer }) => buffer as ArrayBuffer)];
      worker.postMessage(work, moved);
      const answer = await nextAnswer();
      const filled = answer.memory!;
      return {
        count: mels.length,
        tensors: audioTensors(filled, format, shape),
        release: () => slabs.give(filled),
      };
    },
    async close() {
      worker.ref();
      worker.postMessage('close');
      await ended;
    },
  };
}
