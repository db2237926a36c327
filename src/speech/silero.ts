/**
 * Silero VAD's sequence model on ONNX Runtime: the probability of speech in each 32 ms of 16 kHz audio
 * (snakers4/silero-vad, sequence_vad.py). A frame is 512 samples with the 64 before them as context.
 */
import { type OnnxTensor, openOnnxSession } from '../backends/onnx.ts';
import { throwIfAborted } from '../base/abort.ts';

export const VAD_FRAME_SAMPLES = 512;
const CONTEXT_SAMPLES = 64;
const STATE_SIZE = 128;
/** Frames of one call: 16 s of audio, so that memory stays small and an abort is seen soon. */
const BLOCK_FRAMES = 512;

export interface SpeechDetector {
  /** One probability for each started frame of `samples`, in blocks as they are computed. */
  probabilities(samples: Float32Array, signal: AbortSignal): AsyncGenerator<Float32Array>;
  close(): Promise<void>;
}

export async function openSilero(path: string): Promise<SpeechDetector> {
  const session = await openOnnxSession(path, { threads: 1 });
  return {
    async *probabilities(samples, signal) {
      const frames = Math.ceil(samples.length / VAD_FRAME_SAMPLES);
      let h: OnnxTensor = { data: new Float32Array(STATE_SIZE), dims: [1, 1, STATE_SIZE] };
      let c: OnnxTensor = { data: new Float32Array(STATE_SIZE), dims: [1, 1, STATE_SIZE] };
      for (let first = 0; first < frames; first += BLOCK_FRAMES) {
        throwIfAborted(signal);
        const count = Math.min(BLOCK_FRAMES, frames - first);
        const results = await session.run({ input: cutFrames(samples, first, count), h, c }, [
          'speech_probs',
          'hn',
          'cn',
        ]);
        h = results['hn']!;
        c = results['cn']!;
        yield results['speech_probs']!.data as Float32Array;
      }
    },
    close: () => session.close(),
  };
}

/** [count × 576]: each frame behind its context, zeros before the beginning and after the end. */
function cutFrames(samples: Float32Array, first: number, count: number): OnnxTensor {
  const width = CONTEXT_SAMPLES + VAD_FRAME_SAMPLES;
  const data = new Float32Array(count * width);
  for (let frame = 0; frame < count; frame += 1) {
    const start = (first + frame) * VAD_FRAME_SAMPLES - CONTEXT_SAMPLES;
    const from = Math.max(0, start);
    data.set(samples.subarray(from, start + width), frame * width + from - start);
  }
  return { data, dims: [count, width] };
}
