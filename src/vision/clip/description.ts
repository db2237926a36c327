import type { Preprocessing } from '../image/preprocessing.ts';

/** What must be known of a CLIP model beside its graphs. */
export interface ClipDescription {
  /** Length of an embedding. */
  readonly dimension: number;
  /** What cosines are multiplied by before the softmax. */
  readonly logitScale: number;
  /** SigLIP's: added to that, and scores are sigmoids, each label for itself. */
  readonly logitBias?: number;
  /** Most tokens of a text, its first and last among them. */
  readonly contextLength: number;
  /** Texts are filled up to that length, and the last place stands for them: SigLIP's. */
  readonly isPadded: boolean;
}

export interface ConvertedClip extends ClipDescription {
  readonly preprocessing: Preprocessing;
  /** Files of the model itself that are run as they are. */
  readonly exported?: { readonly imageGraph: string; readonly textGraph: string };
}
