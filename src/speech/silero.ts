/**
 * Silero VAD's sequence model on ONNX Runtime: the probability of speech in each 32 ms of 16 kHz audio
 * (snakers4/silero-vad, sequence_vad.py). A frame is 512 samples with the 64 before them as context.
 */
import { type OnnxSession, type OnnxTensor, openOnnxSession } from '../backends/onnx.ts';
import { throwIfAborted } from '../base/abort.ts';

export const VAD_FRAME_SAMPLES = 512;
const CONTEXT_SAMPLES = 64;
const STATE_SIZE = 128;
/** Frames of one call: 16 s of audio, so that memory stays small and an abort is seen soon. */
const BLOCK_FRAMES = 512;

export interface SpeechDetector {
  /** One probability for each started frame of `samples`, in blocks as they are computed. */
  probabilities(samples: Float32Array, signal: AbortSignal): AsyncGenerator<Float32Array>;
  /** Begins to hear a recording that comes bit by bit; the result does not depend on how it is cut. */
  listen(): SpeechListener;
  close(): Promise<void>;
}

/** One recording as it comes. A call must have ended before the next begins. */
export interface SpeechListener {
  /** One probability for each frame that these samples complete; may be empty. */
  push(samples: Float32Array): Promise<Float32Array>;
  /** The same for the last samples; a frame that they only begin counts too. */
  finish(samples: Float32Array): Promise<Float32Array>;
}

export async function openSilero(path: string): Promise<SpeechDetector> {
  const session = await openOnnxSession(path, { threads: 1 });
  return {
    async *probabilities(samples, signal) {
      const listener = createListener(session);
      const blockSamples = BLOCK_FRAMES * VAD_FRAME_SAMPLES;
      for (let first = 0; first < samples.length; first += blockSamples) {
        throwIfAborted(signal);
        const block = samples.subarray(first, first + blockSamples);
        yield first + blockSamples < samples.length
          ? await listener.push(block)
          : await listener.finish(block);
      }
    },
    listen: () => createListener(session),
    close: () => session.close(),
  };
}

function createListener(session: OnnxSession): SpeechListener {
  let h: OnnxTensor = { data: new Float32Array(STATE_SIZE), dims: [1, 1, STATE_SIZE] };
  let c: OnnxTensor = { data: new Float32Array(STATE_SIZE), dims: [1, 1, STATE_SIZE] };
  /** The context of the next frame and what is there of the frame itself; before the beginning there is silence. */
  let held: Float32Array = new Float32Array(CONTEXT_SAMPLES);

  async function hear(count: number): Promise<Float32Array> {
    if (count === 0) return new Float32Array(0);
    const input = cutFrames(held, count);
    held = held.slice(count * VAD_FRAME_SAMPLES);
    const results = await session.run({ input, h, c }, ['speech_probs', 'hn', 'cn']);
    h = results['hn']!;
    c = results['cn']!;
    return results['speech_probs']!.data as Float32Array;
  }

  const hold = (samples: Float32Array): number => {
    const joined = new Float32Array(held.length + samples.length);
    joined.set(held);
    joined.set(samples, held.length);
    held = joined;
    return (held.length - CONTEXT_SAMPLES) / VAD_FRAME_SAMPLES;
  };
  return {
    push: (samples) => hear(Math.floor(hold(samples))),
    finish: (samples) => hear(Math.ceil(hold(samples))),
  };
}

/** [count × 576]: each frame behind its context, zeros after the end. */
function cutFrames(held: Float32Array, count: number): OnnxTensor {
  const width = CONTEXT_SAMPLES + VAD_FRAME_SAMPLES;
  const data = new Float32Array(count * width);
  for (let frame = 0; frame < count; frame += 1) {
    const start = frame * VAD_FRAME_SAMPLES;
    data.set(held.subarray(start, start + width), frame * width);
  }
  return { data, dims: [count, width] };
}
