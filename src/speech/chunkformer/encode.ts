/** From sound to the encoder's rows: features, parts with what is kept of the part before, blocks one behind the other. */
import type { Sound } from '../../audio/sound.ts';
import type { Stopwatch } from '../stopwatch.ts';
import { BlockPass, emptyCache, reachOf } from './block-pass.ts';
import type { Encoder } from './encoder.ts';
import { type Fbank, frameCount } from './fbank.ts';
import { type ChunkSettings, type Part, partsOf, RECEPTIVE_FEATURES, SUBSAMPLING } from './settings.ts';

export interface EncodeContext {
  readonly encoder: Encoder;
  readonly fbank: Fbank;
  readonly stopwatch: Stopwatch;
}

/** Frames of a recording computed at once: enough for matrix products to be efficient, few enough for a recording to need little memory. */
const FRAMES_AT_ONCE = 128;
/** A part of at most 20 s goes through each block at once: with the usual contexts its rows are all held anyway. */
export const MOST_FRAMES_AT_ONCE = 256;
/** The first convolution needs 4 x 39 x width values for each frame. */
const FRAMES_EMBEDDED_AT_ONCE = 32;

/** Rows before the head, [frames × width]; each must be used before the next is asked for. Throws what the encoder throws. */
export async function* encode(sound: Sound, context: EncodeContext): AsyncGenerator<Float32Array> {
  const { encoder } = context;
  const { sizes, settings } = encoder;
  const shape = { layers: sizes.layers, reach: reachOf(sizes.kernel) };
  let caches = Array.from({ length: sizes.layers }, () => emptyCache(encoder));
  for (const part of partsOf(frameCount(sound.length), settings, shape)) {
    const chunks = chunksAtOnce(part, settings);
    const passes = caches.map((cache, layer) => new BlockPass({ encoder, layer, part, cache, chunks }));
    let rows = embed(sound, { part, chunks }, context);
    for (const pass of passes) rows = pass.run(rows);
    yield* firstFrames(rows, { count: part.kept, width: sizes.width });
    caches = passes.map((pass) => pass.cache);
  }
}

function chunksAtOnce({ frames }: Part, { chunkSize }: ChunkSettings): number {
  const atOnce =
    frames <= MOST_FRAMES_AT_ONCE ? Math.ceil(frames / chunkSize) : Math.round(FRAMES_AT_ONCE / chunkSize);
  return Math.max(1, atOnce);
}

/** The rows of a part before the first block, so many chunks at a time; what is after its last frame is zero. */
async function* embed(
  sound: Sound,
  { part, chunks }: { readonly part: Part; readonly chunks: number },
  context: EncodeContext,
): AsyncGenerator<Float32Array> {
  const { encoder, fbank, stopwatch } = context;
  const { width } = encoder.sizes;
  const { chunkSize } = encoder.settings;
  const block = chunks * chunkSize;
  for (let start = 0; start < part.frames; start += block) {
    const count = Math.min(block, part.frames - start);
    const rows = new Float32Array(Math.ceil(count / chunkSize) * chunkSize * width);
    for (let at = 0; at < count; at += FRAMES_EMBEDDED_AT_ONCE) {
      const frames = Math.min(FRAMES_EMBEDDED_AT_ONCE, count - at);
      const first = (part.start + start + at) * SUBSAMPLING;
      const end = first + (frames - 1) * SUBSAMPLING + RECEPTIVE_FEATURES;
      const features = await stopwatch.measureAsync('features', async () =>
        fbank.features(sound, first, end),
      );
      await encoder.embed(features, rows.subarray(at * width, (at + frames) * width));
    }
    yield rows;
  }
}

/** Ends the source when it has given enough: what it has computed ahead served the rows before. */
async function* firstFrames(
  source: AsyncGenerator<Float32Array>,
  { count, width }: { readonly count: number; readonly width: number },
): AsyncGenerator<Float32Array> {
  let left = count;
  for await (const rows of source) {
    const taken = Math.min(left, rows.length / width);
    yield rows.subarray(0, taken * width);
    left -= taken;
    if (left === 0) return;
  }
}
