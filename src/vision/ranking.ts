/** Cosines to a ranking of labels. */

export interface RankedLabel {
  /** From 1. */
  readonly rank: number;
  /** From 0 to 1. */
  readonly score: number;
  readonly text: string;
}

export interface RankingOptions {
  /** What cosines are multiplied by. */
  readonly logitScale: number;
  /** SigLIP's: then each label is judged for itself, and scores need not sum to 1. */
  readonly logitBias: number | undefined;
  /** Most labels to give. */
  readonly topK: number;
  /** Least score. */
  readonly threshold: number;
}

/** Best first; equals in the order of `labels`. */
export function rankLabels(
  labels: readonly string[],
  cosines: readonly number[],
  { logitScale, logitBias, topK, threshold }: RankingOptions,
): RankedLabel[] {
  const scores =
    logitBias === undefined ? softmax(cosines, logitScale) : sigmoids(cosines, logitScale, logitBias);
  return labels
    .map((text, index) => ({ text, score: scores[index]! }))
    .sort((a, b) => b.score - a.score)
    .filter(({ score }) => score >= threshold)
    .slice(0, topK)
    .map(({ text, score }, index) => ({ rank: index + 1, score, text }));
}

/** The largest is taken away first, so that no scale is too large for an exponential. */
function softmax(cosines: readonly number[], scale: number): number[] {
  const largest = cosines.reduce((most, cosine) => Math.max(most, cosine), Number.NEGATIVE_INFINITY);
  const weights = cosines.map((cosine) => Math.exp(scale * (cosine - largest)));
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return weights.map((weight) => weight / sum);
}

function sigmoids(cosines: readonly number[], scale: number, bias: number): number[] {
  return cosines.map((cosine) => 1 / (1 + Math.exp(-(scale * cosine + bias))));
}

/** Of vectors of length 1. */
export function cosine(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let index = 0; index < a.length; index += 1) sum += a[index]! * b[index]!;
  return sum;
}
