/** What a CLIP or SigLIP checkpoint holds, whatever its layout: named layers. */
import { AppError } from '../../base/errors.ts';
import type { Linear } from '../../graphs/layers.ts';
import type { Activation, Attention, FeedForward, Norm, TransformerLayer } from '../../graphs/transformer.ts';
import type { Weights } from '../../graphs/weight-file.ts';

/** One of the two encoders. */
export interface Tower {
  readonly width: number;
  readonly heads: number;
  readonly layers: number;
  readonly activation: Activation;
  /** Parts of a layer, read from disk. */
  layer(index: number): TransformerLayer;
  /** After the last layer. */
  last(): Norm;
}

/** How the rows of all patches become one. */
export type Pooling =
  | { readonly kind: 'class'; readonly projection: Linear }
  | {
      readonly kind: 'attention';
      /** [width]: what is asked of all patches. */
      readonly probe: Float32Array;
      readonly attention: Attention;
      readonly norm: Norm;
      readonly feedForward: FeedForward;
    };

export interface ImageTower extends Tower {
  readonly imageSize: number;
  readonly patchSize: number;
  /** Weight [width × 3 × patch × patch] row-major, of pixels that were normalised. */
  patches(): { readonly weight: Float32Array; readonly bias: Float32Array | undefined };
  /** [positions × width]: the class first, where there is one, then patches row by row. */
  positions(): Float32Array;
  /** [width]; SigLIP has none. */
  classEmbedding(): Float32Array | undefined;
  /** Before the first layer; CLIP's. */
  first(): Norm | undefined;
  pooling(): Pooling;
}

export interface TextTower extends Tower {
  readonly vocabulary: number;
  readonly contextLength: number;
  /** CLIP's texts are read from left to right and end in a token; SigLIP's are read whole, at full length. */
  readonly isCausal: boolean;
  /** [vocabulary × width] */
  tokens(): Float32Array;
  /** [contextLength × width] */
  positions(): Float32Array;
  projection(): Linear;
}

export interface ClipCheckpoint {
  readonly image: ImageTower;
  readonly text: TextTower;
  /** What cosines are multiplied by: the exponential of what is stored. */
  readonly logitScale: number;
  /** Added to that; where there is one, scores are sigmoids and not a softmax. */
  readonly logitBias: number | undefined;
  close(): void;
}

/** Weight [out × in]; both sizes follow from its lengths. */
export function linearOf(weights: Weights, weight: string, bias?: string): Linear {
  const [outputSize = 0, inputSize = 0] = weights.dims(weight);
  return {
    weight: weights.read(weight),
    bias: bias === undefined || !weights.has(bias) ? undefined : weights.read(bias),
    outputSize,
    inputSize,
  };
}

/** Throws `unsupported_model` unless `heads` share `width` evenly. */
export function requireHeads(heads: number, width: number, origin: string): number {
  if (Number.isInteger(heads) && heads > 0 && width % heads === 0) return heads;
  throw new AppError('unsupported_model', `${origin}: ${heads} heads cannot share a width of ${width}.`);
}
