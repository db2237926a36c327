/**
 * The encoder in a thread of its own: ONNX Runtime holds the thread that it is called from, and neither it nor the decoder can use two
 * cores all the time. While one batch is decoded the next is encoded (docs/benchmarks.md, "Encoder beside decoder").
 */
import type { EncodedWindows } from '../../backends/contract.ts';
import { createSlab } from '../../backends/slab.ts';
import { startThread } from '../../base/thread.ts';
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

/** What `audioTensors` says, [windows × ...]. */
export interface OnnxWindows extends EncodedWindows {
  readonly tensors: Tensors;
}

export interface EncoderThread {
  /** As the backend's `encode`; calls are answered in their order. */
  encode(mels: readonly Float32Array[], frames: number): Promise<OnnxWindows>;
  close(): Promise<void>;
}

/** Room for this many windows of this length is there from the beginning; larger batches take more. */
const USUAL_BATCH = { windows: 3, positions: 736 };

/** Throws what opening the graph throws. */
export async function startEncoder(start: EncoderStart): Promise<EncoderThread> {
  const { format } = start;
  const entry = new URL('./encoder-worker.js', import.meta.url);
  const thread = await startThread<EncoderWork, ArrayBuffer>(entry, start);
  // One batch is encoded while another is decoded.
  const slabs = createSlab({ least: audioBytes(format, USUAL_BATCH), most: 2 });
  return {
    async encode(mels, frames) {
      const shape = { windows: mels.length, positions: frames / 2 };
      const memory = slabs.take(audioBytes(format, shape));
      const moved = [memory, ...mels.map(({ buffer }) => buffer as ArrayBuffer)];
      const filled = await thread.ask({ mels, frames, memory }, moved);
      return {
        count: mels.length,
        tensors: audioTensors(filled, format, shape),
        release: () => slabs.give(filled),
      };
    },
    close: () => thread.close(),
  };
}
