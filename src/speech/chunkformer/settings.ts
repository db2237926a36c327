/** How ChunkFormer cuts a recording, in frames of 80 ms; the names are those of its Python package. */

export interface ChunkSettings {
  /** Frames that are computed together. */
  readonly chunkSize: number;
  /** Frames before and after a chunk that each of its layers sees. */
  readonly leftContextSize: number;
  readonly rightContextSize: number;
  /** Seconds, halved: how long a part of a recording may be before the next begins with what is kept of it, and what a batch of several recordings may hold. */
  readonly totalBatchDuration: number;
}

/** Features of 10 ms in a frame. */
export const SUBSAMPLING = 8;
/** Features that one frame is computed from. */
export const RECEPTIVE_FEATURES = 15;
export const FRAME_SECONDS = 0.08;

/** How many frames the encoder makes of so many features. */
export function framesOf(features: number): number {
  return Math.max(0, 1 + Math.floor((features - RECEPTIVE_FEATURES) / SUBSAMPLING));
}

/** A part of a recording that is encoded with what is kept of the part before it. */
export interface Part {
  /** The first frame of the recording that belongs to it; as many frames lie before it. */
  readonly start: number;
  /** Frames to encode, the look ahead among them. */
  readonly frames: number;
  /** Frames to keep; the rest is encoded again by the next part. */
  readonly kept: number;
}

export interface EncoderShape {
  readonly layers: number;
  /** Frames on each side that the convolution sees. */
  readonly reach: number;
}

/**
 * The parts of a recording of so many features, as `endless_decode` of chunkformer 1.2.2 cuts it. It looks ahead by what the right contexts of all
 * layers add up to, without what the convolutions see beyond: at the end of a part log probabilities differ by up to 5e-4 from those of one long part.
 */
export function partsOf(features: number, settings: ChunkSettings, shape: EncoderShape): Part[] {
  const { chunkSize, rightContextSize } = settings;
  const size = partFrames(settings);
  const right = Math.max(rightContextSize, shape.reach);
  const ahead = (right + Math.max(chunkSize, right) * (shape.layers - 1)) * SUBSAMPLING;
  const parts: Part[] = [];
  for (let start = 0; start * SUBSAMPLING < features; start += size) {
    const first = start * SUBSAMPLING;
    const end = Math.min(first + size * SUBSAMPLING + RECEPTIVE_FEATURES - SUBSAMPLING, features);
    const frames = framesOf(Math.min(end + ahead, features) - first);
    const isLast = first + ahead >= features;
    if (frames > 0) parts.push({ start, frames, kept: isLast ? frames : Math.min(size, frames) });
    if (isLast) break;
  }
  return parts;
}

/** Frames that a part may have without its look ahead, whole chunks. */
export function partFrames({ chunkSize, totalBatchDuration }: ChunkSettings): number {
  const hundredths = floorDivide(totalBatchDuration, 0.01);
  const chunks = Math.floor(Math.floor(hundredths / 2) / (chunkSize * SUBSAMPLING));
  return Math.max(1, chunks) * chunkSize;
}

/** Python's `//` of floating-point numbers: 1024 // 0.01 is 102399, since 0.01 is a little more than a hundredth. */
function floorDivide(a: number, b: number): number {
  return Math.round((a - (a % b)) / b);
}
