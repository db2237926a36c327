/**
 * Whisper's encoder on ONNX Runtime. Only the speech and a little silence behind it are encoded; the silence that the decoder wants to
 * hear after that was encoded once, by itself: what is heard of it depends on its place, and next to nothing on the speech before.
 */
import { type BufferPool, createSlab } from '../../backends/buffer-pool.ts';
import type { EncodedWindows } from '../../backends/contract.ts';
import type { OnnxSession } from '../../backends/onnx.ts';
import { HEAD_SIZE, type WhisperSizes } from './checkpoint.ts';
import { allocateLayers, beginningOf, complete, mapValues, sliceOf, type Tensors } from './tensors.ts';

/** Cross-attention keys and values by the decoder's input names, [windows × ...]. */
export interface OnnxWindows extends EncodedWindows {
  readonly tensors: Tensors;
}

/** Log-mel of silence beside speech of usual loudness: the floor, 8 below the loudest, as `mel.ts` scales it. */
const SILENT_MEL = -0.7;

/** Room for this many windows of this length is there from the beginning; larger batches take more. */
const USUAL_BATCH = 4;
const USUAL_FRAMES = 1500;

export interface Encoder {
  /** One window at a time: more at once are no faster, and need more memory. */
  encode(mels: readonly Float32Array[], frames: number): Promise<OnnxWindows>;
}

export function createEncoder(session: OnnxSession, sizes: WhisperSizes): Encoder {
  const silences = new Map<number, Promise<Tensors>>();

  const numbersOf = (count: number, positions: number) =>
    2 * sizes.decoderLayers * count * sizes.heads * HEAD_SIZE * positions;
  const windows = createSlab(numbersOf(USUAL_BATCH, USUAL_FRAMES / 2));
  const dimsOf = (count: number, positions: number) => ({
    key: [count, sizes.heads, HEAD_SIZE, positions],
    value: [count, sizes.heads, positions, HEAD_SIZE],
  });

  function allocate(pool: BufferPool, count: number, positions: number) {
    return allocateLayers(pool, {
      layers: sizes.decoderLayers,
      name: (kind, layer) => `cross_${kind}_${layer}`,
      dims: dimsOf(count, positions),
    });
  }

  async function encodeInto(target: Tensors, mel: Float32Array): Promise<void> {
    const outputs = Object.entries(target).map(([name, tensor]) => [name.slice('cross_'.length), tensor]);
    const dims = [1, sizes.melBins, mel.length / sizes.melBins];
    await session.run({ mel: { data: mel, dims } }, [], Object.fromEntries(outputs) as Tensors);
  }

  async function encodeSilence(frames: number): Promise<Tensors> {
    const { tensors } = allocate(createSlab(0), 1, frames / 2);
    await encodeInto(tensors, new Float32Array(sizes.melBins * frames).fill(SILENT_MEL));
    return tensors;
  }

  function silence(frames: number): Promise<Tensors> {
    const known = silences.get(frames) ?? encodeSilence(frames);
    silences.set(frames, known);
    return known;
  }

  return {
    async encode(mels, frames) {
      const positions = frames / 2;
      const { tensors, release } = allocate(windows, mels.length, positions);
      for (const [index, mel] of mels.entries()) {
        const window = mapValues(tensors, (tensor) => sliceOf(tensor, index, index + 1));
        const spoken = mel.length / sizes.melBins / 2;
        if (spoken === positions) {
          await encodeInto(window, mel);
          continue;
        }
        const quiet = await silence(frames);
        // Into the same memory, at its beginning.
        const dims = dimsOf(1, spoken);
        const part = mapValues(window, (tensor, name) => beginningOf(tensor, dims[kindOf(name)]));
        await encodeInto(part, mel);
        for (const [name, target] of Object.entries(window)) complete(part[name]!, quiet[name]!, target);
      }
      return { count: mels.length, tensors, release };
    },
  };
}

function kindOf(name: string): 'key' | 'value' {
  return name.startsWith('cross_key') ? 'key' : 'value';
}
