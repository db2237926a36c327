/**
 * Silero VAD's sequence model on ONNX Runtime: the probability of speech in each 32 ms of 16 kHz audio
 * (snakers4/silero-vad, sequence_vad.py). A frame is 512 samples with the 64 before them as context.
 */
import { readFile } from 'node:fs/promises';
import type { Sound } from '../audio/sound.ts';
import { type OnnxSession, type OnnxTensor, openOnnxSession } from '../backends/onnx.ts';
import { throwIfAborted } from '../base/abort.ts';
import { buildSilero, STATE_SIZE, WINDOW_SAMPLES, WINDOWS_PER_FRAME } from './silero-graph.ts';

export const VAD_FRAME_SAMPLES = 512;
const CONTEXT_SAMPLES = 64;
/** Windows begin this many samples after one another. */
const HOP_SAMPLES = 128;
/** Frames of one call: 4 s of audio, so that memory stays small and an abort is seen soon. */
const BLOCK_FRAMES = 128;

export interface SpeechDetector {
  /** One probability for each started frame of `sound`, in blocks as they are computed. */
  probabilities(sound: Sound, signal: AbortSignal): AsyncGenerator<Float32Array>;
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

/** `path` is the published model. Throws `model_failed` for another file. */
export async function openSilero(path: string): Promise<SpeechDetector> {
  const session = await openOnnxSession(buildSilero(await readFile(path)), { threads: 1 });
  return {
    async *probabilities(sound, signal) {
      const listener = createListener(session);
      const blockSamples = BLOCK_FRAMES * VAD_FRAME_SAMPLES;
      for (let first = 0; first < sound.length; first += blockSamples) {
        throwIfAborted(signal);
        const block = sound.read(first, first + blockSamples);
        yield first + blockSamples < sound.length ? await listener.push(block) : await listener.finish(block);
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
    const windows = cutWindows(held, count);
    held = held.slice(count * VAD_FRAME_SAMPLES);
    const results = await session.run({ windows, h, c }, ['speech_probs', 'hn', 'cn']);
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

/** [4·count × 256]: the windows of each frame behind its context. The last passes the frame's end and hears it backwards from there. */
function cutWindows(held: Float32Array, count: number): OnnxTensor {
  const rows = WINDOWS_PER_FRAME * count;
  const data = new Float32Array(rows * WINDOW_SAMPLES);
  const width = CONTEXT_SAMPLES + VAD_FRAME_SAMPLES;
  const frame = new Float32Array((WINDOWS_PER_FRAME - 1) * HOP_SAMPLES + WINDOW_SAMPLES);
  for (let index = 0; index < count; index += 1) {
    const start = index * VAD_FRAME_SAMPLES;
    // What is missing of the last frame is silence.
    frame.fill(0).set(held.subarray(start, start + width));
    for (let behind = width; behind < frame.length; behind += 1)
      frame[behind] = frame[2 * (width - 1) - behind]!;
    for (let window = 0; window < WINDOWS_PER_FRAME; window += 1) {
      const samples = frame.subarray(window * HOP_SAMPLES, window * HOP_SAMPLES + WINDOW_SAMPLES);
      data.set(samples, (WINDOWS_PER_FRAME * index + window) * WINDOW_SAMPLES);
    }
  }
  return { data, dims: [rows, WINDOW_SAMPLES] };
}
