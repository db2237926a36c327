/**
 * Whisper's encoder on ONNX Runtime. Only the speech and a little silence behind it are encoded; the silence that the decoder wants to
 * hear after that was encoded once, by itself: what is heard of it depends on its place, and next to nothing on the speech before.
 */
import type { OnnxSession } from '../../backends/onnx.ts';
import { HEAD_SIZE, type WhisperSizes } from './checkpoint.ts';
import { beginningOf, complete, mapValues, sliceOf, type Tensors, tensorsIn } from './tensors.ts';

/** Log-mel of silence beside speech of usual loudness: the floor, 8 below the loudest, as `mel.ts` scales it. */
const SILENT_MEL = -0.7;

export interface AudioShape {
  readonly windows: number;
  /** Of 20 ms each. */
  readonly positions: number;
}

/** How many numbers the cross-attention keys and values of some windows are. */
export function audioLength(sizes: WhisperSizes, { windows, positions }: AudioShape): number {
  return 2 * sizes.decoderLayers * windows * sizes.heads * HEAD_SIZE * positions;
}

/** Memory as cross-attention keys and values by the decoder's input names, [windows × ...]. */
export function audioTensors(memory: Float32Array, sizes: WhisperSizes, shape: AudioShape): Tensors {
  return tensorsIn(memory, {
    layers: sizes.decoderLayers,
    name: (kind, layer) => `cross_${kind}_${layer}`,
    dims: dimsOf(sizes, shape),
  });
}

export interface Encoder {
  /** Writes into `memory` what `audioTensors` reads. One window at a time: more at once are no faster, and need more memory. */
  encode(mels: readonly Float32Array[], frames: number, memory: Float32Array): Promise<void>;
}

export function createEncoder(session: OnnxSession, sizes: WhisperSizes): Encoder {
  const silences = new Map<number, Promise<Tensors>>();

  async function encodeInto(target: Tensors, mel: Float32Array): Promise<void> {
    const outputs = Object.entries(target).map(([name, tensor]) => [name.slice('cross_'.length), tensor]);
    const dims = [1, sizes.melBins, mel.length / sizes.melBins];
    await session.run({ mel: { data: mel, dims } }, [], Object.fromEntries(outputs) as Tensors);
  }

  async function encodeSilence(frames: number): Promise<Tensors> {
    const shape = { windows: 1, positions: frames / 2 };
    const tensors = audioTensors(new Float32Array(audioLength(sizes, shape)), sizes, shape);
    await encodeInto(tensors, new Float32Array(sizes.melBins * frames).fill(SILENT_MEL));
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
      const tensors = audioTensors(memory, sizes, { windows: mels.length, positions });
      for (const [index, mel] of mels.entries()) {
        const window = mapValues(tensors, (tensor) => sliceOf(tensor, index, index + 1));
        const spoken = mel.length / sizes.melBins / 2;
        if (spoken === positions) {
          await encodeInto(window, mel);
          continue;
        }
        const quiet = await silence(frames);
        // Into the same memory, at its beginning.
        const dims = dimsOf(sizes, { windows: 1, positions: spoken });
        const part = mapValues(window, (tensor, name) => beginningOf(tensor, dims[kindOf(name)]));
        await encodeInto(part, mel);
        for (const [name, target] of Object.entries(window)) complete(part[name]!, quiet[name]!, target);
      }
    },
  };
}

function dimsOf({ heads }: WhisperSizes, { windows, positions }: AudioShape) {
  return { key: [windows, heads, HEAD_SIZE, positions], value: [windows, heads, positions, HEAD_SIZE] };
}

function kindOf(name: string): 'key' | 'value' {
  return name.startsWith('cross_key') ? 'key' : 'value';
}
