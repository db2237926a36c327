/**
 * Whisper's encoder on ONNX Runtime. Only the speech and a little silence behind it are encoded; the silence that the decoder wants to
 * hear after that was encoded once, by itself: what is heard of it depends on its place, and next to nothing on the speech before.
 */
import type { OnnxSession } from '../../backends/onnx.ts';
import { type AudioFormat, audioBytes, audioTensors } from './audio-memory.ts';
import { beginningOf, complete, mapValues, sliceOf, type Tensors } from './tensors.ts';

/** Log-mel of silence beside speech of usual loudness: the floor, 8 below the loudest, as `mel.ts` scales it. */
const SILENT_MEL = -0.7;

export interface Encoder {
  /** Writes into `memory` what `audioTensors` reads. One window at a time: more at once are no faster, and need more memory. */
  encode(mels: readonly Float32Array[], frames: number, memory: ArrayBuffer): Promise<void>;
}

export function createEncoder(session: OnnxSession, format: AudioFormat): Encoder {
  const { melBins } = format.sizes;
  const silences = new Map<number, Promise<Tensors>>();

  async function encodeInto(target: Tensors, mel: Float32Array): Promise<void> {
    await session.run({ mel: { data: mel, dims: [1, melBins, mel.length / melBins] } }, [], target);
  }

  /** Memory of its own for one window. */
  function allocate(positions: number): Tensors {
    const shape = { windows: 1, positions };
    return audioTensors(new ArrayBuffer(audioBytes(format, shape)), format, shape);
  }

  async function encodeSilence(frames: number): Promise<Tensors> {
    const tensors = allocate(frames / 2);
    await encodeInto(tensors, new Float32Array(melBins * frames).fill(SILENT_MEL));
    return tensors;
  }

  function silence(frames: number): Promise<Tensors> {
    const known = silences.get(frames) ?? encodeSilence(frames);
    silences.set(frames, known);
    return known;
  }

  return {
    async encode(mels, frames, memory) {
      const positions = frames / 2;
      const tensors = audioTensors(memory, format, { windows: mels.length, positions });
      for (const [index, mel] of mels.entries()) {
        const window = mapValues(tensors, (tensor) => sliceOf(tensor, index, index + 1));
        const spoken = mel.length / melBins / 2;
        if (spoken === positions) {
          await encodeInto(window, mel);
          continue;
        }
        const quiet = await silence(frames);
        // Into the same memory, at its beginning.
        const part = mapValues(window, (tensor) =>
          beginningOf(
            tensor,
            tensor.dims.map((length) => (length === positions ? spoken : length)),
          ),
        );
        await encodeInto(part, mel);
        for (const [name, target] of Object.entries(window)) complete(part[name]!, quiet[name]!, target);
      }
    },
  };
}
