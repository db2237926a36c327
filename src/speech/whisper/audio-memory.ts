/** What the encoder leaves of some windows, in one piece of memory: everything the decoder's cross-attention reads. */
import type { ComputeType } from '../../graphs/layers.ts';
import type { WhisperSizes } from './checkpoint.ts';
import { audioParts, dimsOf } from './cross-attention.ts';
import type { Tensor, Tensors } from './tensors.ts';

export interface AudioFormat {
  readonly sizes: WhisperSizes;
  readonly compute: ComputeType;
}

export interface AudioShape {
  readonly windows: number;
  /** Of 20 ms each. */
  readonly positions: number;
}

export function audioBytes({ sizes, compute }: AudioFormat, { windows, positions }: AudioShape): number {
  const perPosition = audioParts(compute).reduce(
    (sum, { type, numbers }) => sum + numbers * bytesOfNumber(type),
    0,
  );
  return perPosition * sizes.decoderLayers * windows * sizes.heads * positions;
}

/** Memory as tensors by the decoder's input names without `cross_`, [windows × ...]. */
export function audioTensors(
  memory: ArrayBuffer,
  { sizes, compute }: AudioFormat,
  shape: AudioShape,
): Tensors {
  const { windows, positions } = shape;
  const tensors: Record<string, Tensor> = {};
  let at = 0;
  for (let layer = 0; layer < sizes.decoderLayers; layer += 1) {
    for (const part of audioParts(compute)) {
      const dims = dimsOf(part, [windows, positions], sizes);
      const count = part.numbers * windows * sizes.heads * positions;
      const view = part.type === 'int8' ? Int8Array : Float32Array;
      tensors[`${part.name}_${layer}`] = { data: new view(memory, at, count), dims };
      at += count * bytesOfNumber(part.type);
    }
  }
  return tensors;
}

function bytesOfNumber(type: 'float32' | 'int8'): number {
  return type === 'int8' ? Int8Array.BYTES_PER_ELEMENT : Float32Array.BYTES_PER_ELEMENT;
}
